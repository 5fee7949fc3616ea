// swift-tools-version: 6.2
import PackageDescription

/// Strict everywhere: C stays out of public interfaces, existentials and unsafe uses are spelled out, a warning stops
/// the build.
let strict: [SwiftSetting] = [
  .enableUpcomingFeature("ExistentialAny"),
  .enableUpcomingFeature("InternalImportsByDefault"),
  .enableUpcomingFeature("MemberImportVisibility"),
  .strictMemorySafety(),
  .treatAllWarnings(as: .error),
]

let systemPackage = Target.Dependency.product(name: "SystemPackage", package: "swift-system")
let basicContainers = Target.Dependency.product(name: "BasicContainers", package: "swift-collections")

let package = Package(
  name: "mqctl",
  products: [
    .executable(name: "mqctl", targets: ["mqctl"]),
    .library(
      name: "MultiQueue",
      targets: ["LinuxIO", "VhostKernel", "TapMQ", "Virtqueue", "VhostUser", "Orchestrator", "DataPlane", "Hypervisor"]),
    .library(name: "VhostUserFuzzing", targets: ["VhostUserFuzzing"]),
    .library(name: "VirtqueueFuzzing", targets: ["VirtqueueFuzzing"]),
  ],
  dependencies: [
    .package(url: "https://github.com/apple/swift-argument-parser", from: "1.8.2"),
    .package(url: "https://github.com/apple/swift-collections", from: "1.6.0"),
    .package(url: "https://github.com/apple/swift-system", from: "1.8.1"),
  ],
  targets: [
    // C, as it is: headers and what pkg-config knows.
    .systemLibrary(name: "CLinuxUAPI"),
    .systemLibrary(name: "CNetlink", pkgConfig: "libnl-3.0", providers: [.apt(["libnl-3-dev"])]),
    .systemLibrary(name: "CNetlinkRoute", pkgConfig: "libnl-route-3.0", providers: [.apt(["libnl-route-3-dev"])]),
    .systemLibrary(name: "CCapability", pkgConfig: "libcap", providers: [.apt(["libcap-dev"])]),
    .systemLibrary(name: "CSeccomp", pkgConfig: "libseccomp", providers: [.apt(["libseccomp-dev"])]),
    .systemLibrary(name: "CYaml", pkgConfig: "yaml-0.1", providers: [.apt(["libyaml-dev"])]),

    // C of our own: what a signal handler does.
    .target(name: "CMemoryGuard"),

    // The rooms; an arrow points down only.
    .target(
      name: "LinuxIO", dependencies: ["CLinuxUAPI", "CMemoryGuard", basicContainers, systemPackage],
      swiftSettings: strict),
    .target(
      name: "VhostKernel", dependencies: ["CLinuxUAPI", "LinuxIO", systemPackage], swiftSettings: strict),
    .target(
      name: "TapMQ", dependencies: ["CLinuxUAPI", "CNetlink", "CNetlinkRoute", "LinuxIO", systemPackage],
      swiftSettings: strict),
    .target(name: "Virtqueue", dependencies: ["CLinuxUAPI", "LinuxIO"], swiftSettings: strict),
    .target(name: "VhostUser", swiftSettings: strict),
    .target(
      name: "Orchestrator",
      dependencies: [
        "CCapability", "CLinuxUAPI", "CSeccomp", "LinuxIO", "TapMQ", "VhostKernel", basicContainers, systemPackage,
      ],
      swiftSettings: strict),
    .target(
      name: "DataPlane",
      dependencies: [
        "LinuxIO", "Orchestrator", "TapMQ", "VhostKernel", "VhostUser", "Virtqueue", basicContainers, systemPackage,
      ],
      swiftSettings: strict),
    .target(
      name: "LoadGenerator",
      dependencies: [
        "DataPlane", "LinuxIO", "Orchestrator", "TapMQ", "VhostKernel", "VhostUser", "Virtqueue", basicContainers,
        systemPackage,
      ],
      swiftSettings: strict),
    .target(
      name: "Provisioning", dependencies: ["CYaml", "LinuxIO", "Orchestrator", "TapMQ"], swiftSettings: strict),
    .target(
      name: "Hypervisor", dependencies: ["LinuxIO", "TapMQ", "VhostUser", systemPackage], swiftSettings: strict),
    .executableTarget(
      name: "mqctl",
      dependencies: [
        .product(name: "ArgumentParser", package: "swift-argument-parser"),
        "DataPlane", "Hypervisor", "LinuxIO", "LoadGenerator", "Orchestrator", "Provisioning", "TapMQ", "VhostKernel",
        systemPackage,
      ],
      swiftSettings: strict),

    // For tests alone.
    .target(name: "VhostUserFuzzing", dependencies: ["VhostUser"], swiftSettings: strict),
    // Optimized even where it is to be debugged: its 100,000 programs take four times as long otherwise.
    .target(
      name: "VirtqueueFuzzing", dependencies: ["LinuxIO", "VhostUserFuzzing", "Virtqueue"],
      swiftSettings: strict + [.unsafeFlags(["-O"])]),
    .target(
      name: "LinuxIOTesting", dependencies: ["CLinuxUAPI", "LinuxIO", "TapMQ", systemPackage], swiftSettings: strict),
    .testTarget(name: "LinuxIOTests", dependencies: ["CLinuxUAPI", "LinuxIO", systemPackage], swiftSettings: strict),
    .testTarget(
      name: "TapMQTests",
      dependencies: ["CCapability", "CLinuxUAPI", "CNetlink", "LinuxIO", "LinuxIOTesting", "TapMQ", systemPackage],
      swiftSettings: strict),
    .testTarget(
      name: "VhostKernelTests", dependencies: ["LinuxIO", "LinuxIOTesting", "VhostKernel", systemPackage],
      swiftSettings: strict),
    .testTarget(
      name: "VirtqueueTests", dependencies: ["LinuxIO", "Virtqueue", "VirtqueueFuzzing"], swiftSettings: strict),
    .testTarget(name: "VhostUserTests", dependencies: ["VhostUser", "VhostUserFuzzing"], swiftSettings: strict),
    .testTarget(
      name: "OrchestratorTests",
      dependencies: ["CLinuxUAPI", "LinuxIO", "LinuxIOTesting", "Orchestrator", "TapMQ", "VhostKernel", systemPackage],
      swiftSettings: strict),
    .testTarget(
      name: "ProvisioningTests", dependencies: ["Orchestrator", "Provisioning", "TapMQ"], swiftSettings: strict),
    .testTarget(
      name: "DataPlaneTests",
      dependencies: ["DataPlane", "LinuxIO", "LinuxIOTesting", "Orchestrator", "TapMQ", "VhostKernel", systemPackage],
      swiftSettings: strict),
    .testTarget(
      name: "LoadGeneratorTests", dependencies: ["LoadGenerator", "Virtqueue"], swiftSettings: strict),
    .testTarget(
      name: "HypervisorTests", dependencies: ["Hypervisor", "LinuxIO", "TapMQ", systemPackage],
      swiftSettings: strict),
    .testTarget(
      name: "IntegrationTests",
      dependencies: [
        "CLinuxUAPI", "DataPlane", "LinuxIO", "LinuxIOTesting", "LoadGenerator", "Orchestrator", "TapMQ", "VhostKernel",
        "VhostUser", "VhostUserFuzzing", "Virtqueue", basicContainers, systemPackage,
      ],
      swiftSettings: strict),
  ]
)
