import Foundation
import Orchestrator
import Testing

@testable import Provisioning

/// docs/schema.json and the reader of files agree.
struct SchemaTests {
  private static let root: URL = {
    var url = URL(fileURLWithPath: #filePath)
    for _ in 0..<3 { url.deleteLastPathComponent() }
    return url
  }()

  private struct Schema: Decodable {
    struct Object: Decodable {
      let additionalProperties: Bool
      let required: [String]
      let properties: [String: Property]
    }

    struct Property: Decodable {
      let minimum: Int?
      let maximum: Int?
      let `default`: Value?
      let `enum`: [String]?
    }

    enum Value: Decodable, Equatable {
      case number(Int)
      case flag(Bool)

      init(from decoder: any Decoder) throws {
        let container = try decoder.singleValueContainer()
        self =
          if let flag = try? container.decode(Bool.self) { .flag(flag) } else {
            .number(try container.decode(Int.self))
          }
      }
    }

    struct Definitions: Decodable {
      let device: Object
      let serve: Object
    }

    let definitions: Definitions
    let properties: [String: Property]
    let additionalProperties: Bool

    private enum CodingKeys: String, CodingKey {
      case definitions = "$defs"
      case properties, additionalProperties
    }
  }

  @Test func theKeysAndTheirRanges() throws {
    let schema = try JSONDecoder().decode(
      Schema.self, from: Data(contentsOf: Self.root.appending(path: "docs/schema.json")))
    let device = schema.definitions.device
    let serve = schema.definitions.serve
    #expect(Set(schema.properties.keys) == Set(ManifestKeys.File.allCases.map(\.rawValue)))
    #expect(Set(device.properties.keys) == Set(ManifestKeys.Device.allCases.map(\.rawValue)))
    #expect(Set(serve.properties.keys) == Set(ManifestKeys.Serve.allCases.map(\.rawValue)))
    #expect(!schema.additionalProperties && !device.additionalProperties && !serve.additionalProperties)
    #expect(device.required == ["name", "pairs"] && serve.required == ["socket"])
    func range(_ property: Schema.Property?) -> ClosedRange<Int>? {
      guard let low = property?.minimum, let high = property?.maximum else { return nil }
      return low...high
    }
    #expect(range(device.properties["pairs"]) == DeviceSpec.pairRange)
    #expect(range(device.properties["mtu"]) == DeviceSpec.mtuRange)
    #expect(device.properties["mtu"]?.default == .number(DeviceSpec.defaultMTU))
    #expect(range(serve.properties["pairs"]) == ServeSpec.pairRange)
    #expect(range(serve.properties["busy-poll-us"]) == ServeSpec.busyPollRange)
    #expect(serve.properties["datapath"]?.enum == ServeSpec.Datapath.allCases.map(\.rawValue))
    #expect(device.properties["qdisc"]?.enum == DeviceSpec.Qdisc.allCases.map(\.rawValue))
  }

  /// Files that both take and files that both refuse, asked of Debian's python3-jsonschema.
  @Test func theVerdicts() throws {
    let devices: [(device: String, isValid: Bool)] = [
      (#"{"name": "a", "pairs": 1}"#, true), (#"{"name": "a", "pairs": 256, "owner": 5, "group": "7"}"#, true),
      (
        #"{"name": "a", "pairs": 1, "mac": "02:00:00:00:00:0A", "mtu": 68, "bridge": "b", "addresses": ["::2/64"]}"#,
        true
      ), (#"{"name": "a", "pairs": 1, "netns": "b", "down": true, "qdisc": "default", "backpressure": true}"#, true),
      (#"{"name": "a", "pairs": 1, "serve": {"socket": "/a", "pairs": 1, "user": 5, "socket-mode": "0660"}}"#, true),
      ("5", false), ("{}", false), (#"{"name": "a"}"#, false), (#"{"pairs": 1}"#, false),
      (#"{"name": "a", "pairs": 0}"#, false), (#"{"name": "a", "pairs": 257}"#, false),
      (#"{"name": "a", "pairs": "1"}"#, false), (#"{"name": "a", "pairs": 1.5}"#, false),
      (#"{"name": 5, "pairs": 1}"#, false), (#"{"name": "", "pairs": 1}"#, false),
      (#"{"name": "1234567890123456", "pairs": 1}"#, false), (#"{"name": "a/b", "pairs": 1}"#, false),
      (#"{"name": "a b", "pairs": 1}"#, false), (#"{"name": "a", "pairs": 1, "vlan": 5}"#, false),
      (#"{"name": "a", "pairs": 1, "owner": -1}"#, false), (#"{"name": "a", "pairs": 1, "owner": 4294967295}"#, false),
      (#"{"name": "a", "pairs": 1, "owner": null}"#, false), (#"{"name": "a", "pairs": 1, "mtu": 65522}"#, false),
      (#"{"name": "a", "pairs": 1, "mac": "01:00:00:00:00:00"}"#, false),
      (#"{"name": "a", "pairs": 1, "mac": "02:00:00:00:00"}"#, false),
      (#"{"name": "a", "pairs": 1, "down": "yes"}"#, false), (#"{"name": "a", "pairs": 1, "qdisc": "fq"}"#, false),
      (#"{"name": "a", "pairs": 1, "addresses": "192.0.2.1"}"#, false),
      (#"{"name": "a", "pairs": 1, "addresses": ["192.0.2.1", "192.0.2.1"]}"#, false),
      (#"{"name": "a", "pairs": 1, "addresses": ["host"]}"#, false),
      (#"{"name": "a", "pairs": 1, "netns": ""}"#, false), (#"{"name": "a", "pairs": 1, "serve": {}}"#, false),
      (#"{"name": "a", "pairs": 1, "serve": {"socket": "a"}}"#, false),
      (#"{"name": "a", "pairs": 1, "serve": {"socket": "/a", "pairs": 129}}"#, false),
      (#"{"name": "a", "pairs": 1, "serve": {"socket": "/a", "socket-mode": 660}}"#, false),
      (#"{"name": "a", "pairs": 1, "serve": {"socket": "/a", "socket-mode": "1777"}}"#, false),
      (#"{"name": "a", "pairs": 1, "serve": {"socket": "/a", "socket-mode": "8"}}"#, false),
    ]
    let documents = devices.map { "{\"devices\": [\($0.device)]}" } + ["{}", "[]", #"{"devices": {}}"#, #"{"x": []}"#]
    let verdicts = devices.map(\.isValid) + [false, false, false, false]
    for (document, isValid) in zip(documents, verdicts) {
      let isTaken = (try? ManifestTests.manifest(document)) != nil
      #expect(isTaken == isValid, "the reader: \(document)")
    }
    let answers = try Self.validate(documents)
    #expect(answers.count == verdicts.count)
    for (index, answer) in answers.enumerated() {
      #expect(answer == verdicts[index], "the schema: \(documents[index])")
    }
  }

  /// What `export` writes and the example are files by the schema.
  @Test func theExample() throws {
    let text = try String(contentsOf: Self.root.appending(path: "examples/devices.yaml"), encoding: .utf8)
    let manifest = try Manifest([Manifest.File(name: "devices.yaml", bytes: Array(text.utf8))])
    #expect(manifest.entries.count == 3)
    let export = Manifest.export(manifest.entries.map { ($0.spec, $0.serve) }, namespace: "blue")
    #expect(try Self.validate([String(decoding: JSONEncoder().encode(export), as: UTF8.self)]) == [true])
  }

  /// Whether each document, which is JSON, is one by the schema.
  private static func validate(_ documents: [String]) throws -> [Bool] {
    let script = """
      import json, jsonschema, sys
      schema = json.load(open(sys.argv[1]))
      jsonschema.Draft202012Validator.check_schema(schema)
      check = jsonschema.Draft202012Validator(schema)
      for line in sys.stdin: print(check.is_valid(json.loads(line)))
      """
    let process = Process()
    process.executableURL = URL(fileURLWithPath: "/usr/bin/python3")
    process.arguments = ["-c", script, root.appending(path: "docs/schema.json").path]
    let input = Pipe()
    let output = Pipe()
    process.standardInput = input
    process.standardOutput = output
    try process.run()
    try input.fileHandleForWriting.write(contentsOf: Data(documents.map { $0 + "\n" }.joined().utf8))
    try input.fileHandleForWriting.close()
    let answers = try output.fileHandleForReading.readToEnd() ?? Data()
    process.waitUntilExit()
    return String(decoding: answers, as: UTF8.self).split(separator: "\n").map { $0 == "True" }
  }
}
