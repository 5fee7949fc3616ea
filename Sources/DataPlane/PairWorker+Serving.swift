internal import LinuxIO
internal import SystemPackage
internal import VhostKernel
internal import Virtqueue

/// The thread itself.
extension PairWorker {
  /// Moves frames until the thread is to do something else.
  ///
  /// Each ring has its turn, of so many frames and bytes at most, for as long as there is something to move. Then the driver is
  /// asked for kicks, and the thread waits for all that could change that: a kick, the tap, a word from the other thread. What
  /// cannot be used is not waited for: frames on the tap while the guest has no buffers for them.
  internal mutating func serve(_ shared: borrowing PairShared) {
    var tapMayHaveFrames = true
    var idleSince: UInt64 = 0
    while shared.isServing {
      let sent = transmit?.turn(tap.rawValue) ?? .done
      // A busy thread does not hear of the tap's frames but by looking.
      let received = tapMayHaveFrames || sent == .more ? receive?.turn(tap.rawValue) ?? .starved : .done
      if sent == .lost || received == .lost || memory.isLost { return lose(shared) }
      if sent == .broken { fail(.transmit, transmit?.violation, shared) }
      if received == .broken { fail(.receive, receive?.violation, shared) }
      tapMayHaveFrames = received != .done
      if sent == .more || received == .more {
        idleSince = 0
        continue
      }

      var ready = EventPoll.Ready()
      if keepsLooking(&idleSince) {
        ready = poll.wait(milliseconds: 0)
      } else {
        if asksForKicks(sent, received, shared) { continue }
        // Of a tap that is full it is asked anew whether it still is: its room is told once only.
        if sent == .full || received == .done && !watchesTap { watchTap(watchesTap || received == .done) }
        ready = poll.wait(milliseconds: -1)
        transmit?.ring.suppressKicks()
        receive?.ring.suppressKicks()
        idleSince = 0
      }
      if ready.contains(Source.tap) {
        tapMayHaveFrames = true
        // Woken for nothing, once.
        if received == .starved, watchesTap { watchTap(false) }
      }
    }
  }

  /// Asks for a kick where one is needed to go on; true if there is something to do already.
  private mutating func asksForKicks(_ sent: Turn, _ received: Turn, _ shared: borrowing PairShared) -> Bool {
    var hasWork = false
    if sent == .done {
      do throws(RingViolation) {
        hasWork = try transmit?.ring.requestKicks() ?? false
      } catch {
        fail(.transmit, error, shared)
      }
    }
    if received == .starved {
      do throws(RingViolation) {
        hasWork = try receive?.ring.requestKicks() ?? false || hasWork
      } catch {
        fail(.receive, error, shared)
      }
    }
    return hasWork
  }

  /// Whether the time of looking without waiting is not over.
  private func keepsLooking(_ since: inout UInt64) -> Bool {
    guard busyPoll > 0 else { return false }
    let now = MonotonicClock.nanoseconds
    if since == 0 { since = now }
    return now &- since < busyPoll
  }

  private mutating func watchTap(_ isWatched: Bool) {
    watchesTap = isWatched
    do throws(Errno) {
      try poll.change(tap, as: Source.tap, isWatched ? [.input, .output, .edge] : [.output, .edge])
    } catch {
      fatalError("epoll_ctl of a descriptor that was added: \(error)")
    }
  }

  /// A ring is broken: it stands still, its front end is told by the err eventfd and this process by the alarm.
  private mutating func fail(_ ring: VhostRing, _ violation: RingViolation?, _ shared: borrowing PairShared) {
    if memory.isLost { return }
    halt(ring)
    shared.report(violation ?? .broken, of: ring)
    let error = ring == .receive ? Told.number(toldReceive.error) : Told.number(toldTransmit.error)
    if error >= 0 { FrameIO.signal(error) }
    FrameIO.signal(alarm)
  }

  /// Guest memory is gone: nothing of it is touched any more.
  private func lose(_ shared: borrowing PairShared) {
    shared.reportLoss()
    FrameIO.signal(alarm)
    while shared.isServing { shared.order.wait(while: PairShared.State.serving) }
  }
}
