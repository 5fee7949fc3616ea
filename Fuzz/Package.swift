// swift-tools-version: 6.2
import PackageDescription

/// libFuzzer on the vhost-user codec and session, and on the device's end of a ring. A package of its own: it links only with `-sanitize=fuzzer`.
let package = Package(
  name: "mqctl-fuzz",
  dependencies: [.package(name: "mqctl", path: "..")],
  targets: [
    .executableTarget(
      name: "vhost-user-fuzz", dependencies: [.product(name: "VhostUserFuzzing", package: "mqctl")]),
    .executableTarget(name: "ring-fuzz", dependencies: [.product(name: "VirtqueueFuzzing", package: "mqctl")]),
  ]
)
