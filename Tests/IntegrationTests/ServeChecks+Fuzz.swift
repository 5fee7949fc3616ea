import Foundation
import LinuxIO
import LinuxIOTesting
import SystemPackage
import Testing
import VhostUser
import VhostUserFuzzing

@testable import DataPlane

/// Conversations that no front end would hold, over the real socket, with a data path behind it.
extension ServeChecks {
  /// As many as CI has time for; the same ones each time.
  private static let conversationCount = 200

  func generatedConversations() async throws {
    try await FreshNamespace.run {
      let served = try ServedTap(datapath, pairs: Conversations.offer.queuePairs)
      let first = try FrontEnd(connectingTo: served.socket)
      let device = DeviceFeatures(rawValue: try first.number(.getFeatures))
      let ours = ProtocolFeatures(rawValue: try first.number(.getProtocolFeatures))
      _ = try first.finish()
      let conversations = Conversations.all.map { conversation in
        conversation.messages.map { message -> FrontEndMessage in
          // What this server and this kernel have.
          switch message {
          case .setFeatures(let features): .setFeatures(features.intersection(device))
          case .setProtocolFeatures(let features): .setProtocolFeatures(features.intersection(ours))
          default: message
          }
        }
      }
      let files = try FuzzFiles()
      var held = 1
      func hold(_ frames: [FuzzFrame]) throws {
        let guest = try FrontEnd(connectingTo: served.socket)
        for frame in frames {
          do {
            try guest.send(frame, files)
          } catch let failure as FrontEndConnection.Failure where failure.isTheEnd {
            // An earlier one has ended the connection.
            break
          }
        }
        _ = try guest.finish()
        held += 1
        // Its log is read, or it would wait for somebody to do so.
        try served.process.waitForErrors("the connection has ended", times: held)
      }
      for messages in conversations { try hold(messages.map { FuzzFrame($0, needsReply: true) }) }
      #expect(served.process.errText.components(separatedBy: "rings stopped").count > 1, "\(served.process.errText)")
      var mutation = Mutation(seed: 3, of: conversations)
      for _ in 0..<Self.conversationCount {
        let next = mutation.next()
        try hold(next.before + next.frames)
      }
      try served.expectIdle()
      #expect(served.process.errText.components(separatedBy: "rings stopped").count > Self.conversationCount / 20)
      #expect(served.process.errText.components(separatedBy: "refused").count > Self.conversationCount / 4)
      var guest = try FrontEnd(connectingTo: served.socket)
      try guest.start(pairs: 4)
      try guest.exchange(frames: 4, onTap: served.index)
      _ = consume guest
      try served.expectIdle()
      _ = try served.end()
    }
  }

  /// What comes along with a message: memory that is large enough for any of these conversations, or an eventfd.
  struct FuzzFiles: ~Copyable {
    let memory: OwnedDescriptor
    let event: OwnedDescriptor

    init() throws {
      let memory = try FrontEnd.memory(byteCount: 8 << 30)
      event = try LinuxKernel().eventfd()
      self.memory = memory
    }
  }
}

extension FrontEnd {
  /// Sends a frame with as many descriptors as it says, of the kind that its request wants.
  fileprivate func send(_ frame: FuzzFrame, _ files: borrowing ServeChecks.FuzzFiles) throws {
    let kinds: [FrontEndRequest] = [.setVringKick, .setVringCall, .setVringErr]
    let isEvent = kinds.contains { $0.rawValue == UInt32(frame.bytes[0]) }
    let file = isEvent ? files.event.descriptor : files.memory.descriptor
    try send(frame.bytes, with: Array(repeating: file, count: min(Int(frame.descriptorCount), 32)))
  }
}
