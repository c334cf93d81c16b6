package import Java

/// What a recording amounted to.
package struct RecordingReport: Sendable {
  package enum End: String, Sendable {
    case duration
    case commandEnded = "command-ended"
    case processesEnded = "processes-ended"
    case interrupted
    case diskFull = "disk-full"
    case writeFailed = "write-failed"
  }
  package var end = End.duration
  package var samples: UInt64 = 0
  package var lostSamples: UInt64 = 0
  package var processes = 0
  package var durationNanoseconds: UInt64 = 0
  package var path = ""
  /// Why stacks were not unwound by tables although that was asked for; `nil` when they were.
  package var unwindFallback: String?
  /// Files with an interpreter whose frames were not looked for, each with the reason.
  package var interpreterRefusals: [String] = []
  package var byteCount: UInt64 = 0
  /// The command's own exit status as a shell gives it; `nil` without a command.
  package var commandStatus: Int32?
  package var commandSignal: Int32?
  /// Why writing failed, in words; `nil` when it did not.
  package var writeFailure: String?
  /// What stood in the way of recording JVMs by their own means, and what is to be known of those recordings.
  package var javaMessages: [JavaRecorder.Message] = []
  package var javaProcesses = 0
  /// Why only JVMs were recorded, in words; `nil` when the system was sampled.
  package var javaOnly: String?
  package init() {}
}
