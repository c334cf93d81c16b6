import Symbolize
package import TraceFormat

/// What a replay saw and could not do: every number of it can be asked after.
package struct ReplayReport: Sendable {
  package struct Image: Sendable {
    package var path: String
    package var buildID: String
    /// Distinct addresses.
    package var named = 0
    package var unknown: [UInt8: Int] = [:]
    /// Weights of the samples whose innermost frame lies in it.
    package var selfWeight: UInt64 = 0
    /// Weights of samples that any unnamed frame of it takes part in.
    package var unnamedWeight: UInt64 = 0
    /// What of its files could not be read, and where: a path, a field, an offset.
    package var damage: [String] = []
  }
  package struct Function: Sendable {
    package var name: String
    package var selfWeight: UInt64
    /// With everything it called.
    package var totalWeight: UInt64
  }

  package var traceID = ""
  package var durationNanoseconds: UInt64 = 0
  package var frequencyHertz: UInt64 = 0
  package var isComplete = false
  package var samples: UInt64 = 0
  package var lostSamples: UInt64 = 0
  package var weight: UInt64 = 0
  package var losses: [LossRecord.Reason: UInt64] = [:]
  package var unwindResults: [UInt8: UInt64] = [:]
  /// Which images break stacks: most samples first.
  package var unwindBreaks: [UnwindBreak] = []
  package struct UnwindBreak: Sendable {
    /// `[unknown]` for code of no image.
    package var path: String
    /// The word of an `UnwindResult`.
    package var reason: String
    package var wasGuessed: Bool
    package var samples: UInt64
  }
  /// By runtime and version, most frames first.
  package var interpreters: [Interpreter] = []
  package struct Interpreter: Sendable {
    /// `CPython 3.11`.
    package var runtime: String
    /// Pieces of code that were recorded.
    package var codes: Int
    /// Frames of all samples, each as often as the sample counts.
    package var frames: UInt64
  }
  /// By the word of the reason: samples in which an interpreter's frames are missing, and frames of samples without a name.
  package var interpreterFailures: [String: UInt64] = [:]
  package var stacks = 0
  package var missingStacks = 0
  package var processes = 0
  package var threads = 0
  package var addresses = 0
  package var namedAddresses = 0
  /// By `MissReason`'s raw value.
  package var unknownAddresses: [UInt8: Int] = [:]
  /// Sorted by what their unnamed frames weigh, heaviest first.
  package var images: [Image] = []
  /// Heaviest first.
  package var functions: [Function] = []
  package var inconsistentRecords = 0
  package var damagedRegions = 0
  package var unknownRecords = 0

  package init() {}

  /// Takes in what only the file itself tells.
  package mutating func note(_ trace: LoadedTrace) {
    isComplete = trace.isComplete
    damagedRegions = trace.damage.count
    unknownRecords = Int(clamping: trace.unknownRecords)
  }

  package var hasLosses: Bool {
    lostSamples > 0 || missingStacks > 0 || inconsistentRecords > 0 || damagedRegions > 0 || !isComplete
  }

  static func reasonName(_ raw: UInt8) -> String { MissReason(rawValue: raw)?.name ?? "reason_\(raw)" }
}
