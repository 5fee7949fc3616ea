// swift-tools-version: 6.2
import PackageDescription

/// As in the package above.
let strict: [SwiftSetting] = [
  .enableUpcomingFeature("ExistentialAny"),
  .enableUpcomingFeature("InternalImportsByDefault"),
  .enableUpcomingFeature("MemberImportVisibility"),
  .strictMemorySafety(),
  .treatAllWarnings(as: .error),
]

let package = Package(
  name: "mqctl-benchmarks",
  dependencies: [
    // Named, as the checkout's folder may have any name.
    .package(name: "mqctl", path: ".."),
    .package(url: "https://github.com/apple/swift-collections", from: "1.6.0"),
    .package(url: "https://github.com/apple/swift-system", from: "1.8.1"),
  ],
  targets: [
    .target(name: "CRing", path: "c/ring"),
    .executableTarget(
      name: "ring", dependencies: ["CRing", .product(name: "MultiQueue", package: "mqctl")], swiftSettings: strict),
    .executableTarget(
      name: "ring-echo",
      dependencies: [
        .product(name: "BasicContainers", package: "swift-collections"),
        .product(name: "MultiQueue", package: "mqctl"),
        .product(name: "SystemPackage", package: "swift-system"),
      ],
      swiftSettings: strict),
    .executableTarget(
      name: "taps",
      dependencies: [
        .product(name: "BasicContainers", package: "swift-collections"),
        .product(name: "MultiQueue", package: "mqctl"),
      ],
      swiftSettings: strict),
  ]
)
