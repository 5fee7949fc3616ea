// swift-tools-version: 6.2
import PackageDescription

/// libFuzzer on the vhost-user codec and session. A package of its own: it links only with `-sanitize=fuzzer`.
let package = Package(
  name: "vhost-user-fuzz",
  dependencies: [.package(name: "mqctl", path: "..")],
  targets: [
    .executableTarget(
      name: "vhost-user-fuzz", dependencies: [.product(name: "VhostUserFuzzing", package: "mqctl")])
  ]
)
