/// What profiles say of samples beside their stacks: which thread and process they are of, and whether the kernel's part is shown.
package struct SampleMarks: Hashable, Sendable {
  /// Without, a stack keeps its frames in user space alone; one that has none is the frame `[kernel]`.
  package var showsKernelFrames = true
  /// A label `comm` with the thread's name.
  package var labelsComm = false
  /// A label `pid` with the process' number.
  package var labelsProcess = false
  /// The thread's name as the outermost frame.
  package var framesComm = false

  package init() {}

  var labelsSamples: Bool { labelsComm || labelsProcess }
}
