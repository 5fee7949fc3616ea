/// The numbers of the requests that a back end sends on the channel that SET_BACKEND_REQ_FD gave it (vhost-user
/// specification, "Back-end message types").
public enum BackEndRequest: UInt32, Sendable, CaseIterable {
  /// VHOST_USER_BACKEND_IOTLB_MSG
  case iotlbMsg = 1
  /// VHOST_USER_BACKEND_CONFIG_CHANGE_MSG: no payload; the front end may read the configuration again.
  case configChangeMsg = 2
  /// VHOST_USER_BACKEND_VRING_HOST_NOTIFIER_MSG
  case vringHostNotifierMsg = 3
  /// VHOST_USER_BACKEND_VRING_CALL
  case vringCall = 4
  /// VHOST_USER_BACKEND_VRING_ERR
  case vringErr = 5
}
