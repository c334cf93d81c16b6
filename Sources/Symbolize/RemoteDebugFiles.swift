package import Base

/// Debug files that are had by build ID from elsewhere: a cache that several programs share, servers. Asked last.
package protocol RemoteDebugFiles: Sendable {
  /// May block for as long as its own timeouts allow; called from several threads.
  func find(_ kind: RemoteFileKind, of buildID: BuildID) -> RemoteDebugFile
}

package enum RemoteFileKind: String, Hashable, Sendable {
  case debugFile = "debuginfo"
  case executable
}

/// What came of asking.
package struct RemoteDebugFile: Sendable {
  /// Proven to have the build ID that was asked for.
  package var file: ImageBytes?
  /// In the order things were tried.
  package var steps: [LocatorStep]

  package init(file: ImageBytes? = nil, steps: [LocatorStep] = []) {
    self.file = file
    self.steps = steps
  }
}
