public import LinuxIO
public import TapMQ

extension Provisioner where Kernel == LinuxKernel, Links == LinkSession {
  /// ``create(_:replace:)`` with a rtnetlink session of its own.
  ///
  /// For a process that makes one device and ends: here, where the type is known, the compiler makes code for it alone,
  /// and looking the type up at run time would cost more than the device.
  public static func create(_ spec: DeviceSpec, replace: Bool) throws(OrchestratorError) -> Outcome {
    try Provisioner(kernel: LinuxKernel(), links: try attempt(try LinkSession())).create(spec, replace: replace)
  }
}
