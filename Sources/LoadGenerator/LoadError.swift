public import DataPlane
public import Orchestrator
public import SystemPackage

/// Why a load could not be measured.
public enum LoadError: Error {
  /// The tap or its link.
  case orchestrator(OrchestratorError)
  /// A call failed.
  case system(String, Errno)
  /// The back end could not be reached or used.
  case backEnd(FrontEndConnection.Failure)
  /// The back end that was started for this has ended: with the words and the code of `mqctl serve`.
  case served(code: Int32, message: String, mend: String?)
  /// A part has ended that should not have.
  case ended(String)
}
