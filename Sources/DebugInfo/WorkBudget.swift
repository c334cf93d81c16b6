import Base
import Synchronization

/// What one call may take of a file's debug information.
///
/// Nothing keeps a file from having all of its units refer to one long table, or to one name of 100 KiB: each unit is then within
/// its limits, and all of them together take for ever. So what is read is counted over all units of a call, in bytes or in steps
/// that take about as long, and of a file that takes more than its size explains nothing is believed: whichever thread comes
/// first, the outcome is the same.
final class WorkBudget: Sendable {
  /// Steps for each byte of DWARF, inflated. Reading every unit of a real file takes one to four.
  static let stepsPerByte = 32
  /// An address is looked for in inlined functions hundreds deep, and its frames are written down.
  static let stepsPerAddress = 4096
  /// What every file may take: a tenth of a second or two.
  static let freeStepCount = 1 << 26
  /// Text is kept until the call ends, so it is dearer than what is only gone past.
  static let stepsPerTextByte = 4

  private let left: Atomic<Int>
  /// Split files that were counted.
  private let known = Mutex<Set<FileNumbers>>([])

  /// - Parameter byteCount: of the sections of all files that are there from the start.
  init(byteCount: Int = 0, addressCount: Int = 0) {
    left = Atomic(Self.freeStepCount + Self.stepsPerByte * byteCount + Self.stepsPerAddress * addressCount)
  }

  /// More was taken than the files explain.
  var isSpent: Bool { left.load(ordering: .relaxed) < 0 }

  func spend(_ steps: Int) { left.wrappingSubtract(steps, ordering: .relaxed) }
  func spend(textByteCount: Int) { spend(Self.stepsPerTextByte * textByteCount) }

  /// Allows for a split file; once, however often it is opened.
  func allow(_ file: FileNumbers?, byteCount: Int) {
    guard let file, known.withLock({ $0.insert(file).inserted }) else { return }
    left.wrappingAdd(Self.stepsPerByte * byteCount, ordering: .relaxed)
  }

  /// Why nothing of the file is believed.
  static let problem = MalformedInput(
    field: "debug information", offset: FileOffset(0),
    problem: .inconsistent("has the same parts read again and again: more than \(stepsPerByte) times its size"))
}

/// What tells a file from the others of this machine.
package struct FileNumbers: Hashable, Sendable {
  package var device: UInt64
  package var inode: UInt64

  package init(device: UInt64, inode: UInt64) {
    self.device = device
    self.inode = inode
  }
}
