package import Base
package import Java

/// What a recording was asked for. Every flag of `pyrorec record` is a word of it.
package struct RecorderConfiguration: Sendable {
  package enum Images: String, Sendable, CaseIterable {
    /// What symbolizing and unwinding need of each file that a sample hit.
    case symbols
    /// Those files whole.
    case full
    /// Only what they are.
    case none
  }
  /// How user stacks are found.
  package enum Unwind: String, Sendable, CaseIterable {
    /// By unwind tables of the files that are mapped; by frame pointers where the kernel lacks what it takes.
    case tables
    /// By the kernel's own walk along frame pointers.
    case framePointers = "frame-pointers"
  }
  /// Which samples' registers and stacks are kept in the trace, so that their callers can be found again offline.
  package enum StackCopies: String, Sendable, CaseIterable {
    /// Those that came before their tables, as far as unwinding them looked.
    case waiting
    /// Every sample's: some kilobytes each.
    case all
    case none
  }
  package var output = "trace.seg"
  /// Samples a second on each CPU.
  package var frequencyHertz = 97
  /// `nil` until interrupted or the command ends.
  package var durationNanoseconds: UInt64?
  package var processes: [ProcessID] = []
  /// Directories below the cgroup v2 mount, or relative to it.
  package var cgroups: [String] = []
  /// Container ids or beginnings of them.
  package var containers: [String] = []
  /// Empty for none.
  package var command: [String] = []
  package var images = Images.symbols
  /// Where copies of files go instead of the segments, once for all of them; `nil` for the segments.
  package var imageStore: ImageStore?
  package var unwind = Unwind.tables
  package var stackCopies = StackCopies.waiting
  /// Bytes for the rows of unwind tables. Taken when the recording begins, and not swappable.
  package var unwindTableBytes = 64 << 20
  /// The directory where unwind tables are kept from one recording to the next; its parent must be there. `nil` for none.
  package var unwindCachePath: String?
  /// Whether the frames of CPython programs are looked for.
  package var pythonEnabled = true
  /// JVMs that are recorded by their own means too; `nil` for none.
  package var java: JavaOrders?
  /// Whether only they are recorded, so that nothing is asked of the kernel.
  package var isJavaAlone = false
  /// Takes what there is to say of them when it happens; without it, it is in the report.
  package var onJavaMessage: (@Sendable (JavaRecorder.Message) -> Void)?
  package var recorderVersion = ""
  /// A row of segments instead of `output`, until it is stopped; `nil` for one segment.
  package var windows: RecordingWindows?
  /// Who may stop the recording; with it signals are left to whoever else takes them.
  package var control: RecordingControl?
  /// Where the recorder's raw input goes, for tests of the recorder itself; `nil` for nowhere.
  package var tapePath: String?
  /// Who else has facts for the trace.
  package var otherFacts: (any FactSource)?

  package init() {}

  package var isSystemWide: Bool { processes.isEmpty && cgroups.isEmpty && containers.isEmpty && command.isEmpty }
}
