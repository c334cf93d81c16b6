import Base
import Interpreters
import Profile
import Symbolize
import TraceFormat

/// Frames of interpreters: each interpreter counts as an image of its own, in which a code and an instruction of it make an
/// address (`InterpreterPlace.packed`).
extension CodeLocation {
  /// The number that stands for the interpreter where images have theirs. No recording has so many images.
  static func image(of interpreter: InterpreterKind) -> UInt32 { .max - UInt32(interpreter.rawValue) }

  /// `nil` for a place in a file's, the kernel's or anonymous code.
  var interpreter: InterpreterKind? { Self.interpreter(ofImage: image) }

  static func interpreter(ofImage image: UInt32) -> InterpreterKind? {
    UInt8(exactly: UInt32.max - image).flatMap { InterpreterKind(rawValue: $0) }
  }

  /// The frame of a node of an interpreter's space; `nil` for one that only says why there is none.
  init?(interpreter: InterpreterKind, place: InterpreterPlace) {
    if place.code == 0, InterpreterFailure(rawValue: UInt8(clamping: place.instruction))?.leavesNativeFrames ?? false { return nil }
    self.init(image: Self.image(of: interpreter), address: place.packed)
  }
}

extension InterpreterKind {
  /// What stands where an image has its path.
  var imageName: String { "[\(name)]" }
}

extension TraceContents {
  /// The name and line of a place in interpreted code.
  func symbolization(of interpreter: InterpreterKind, at packed: UInt64) -> Symbolization {
    let place = InterpreterPlace(packed: packed)
    guard let code = codes[place.code], code.interpreter.rawValue == interpreter.rawValue else {
      return .unknown(.interpretedCodeNotRead)
    }
    var line: UInt32?
    switch interpreter {
    case .python:
      if place.instruction != InterpreterPlace.unknownInstruction, let format = PythonLineFormat(rawValue: code.lineFormat) {
        line = format.line(of: place.instruction, in: code.lines, first: code.firstLine)
      }
    }
    return .frames([Frame(function: code.name, file: code.file, line: line, startLine: code.firstLine)])
  }
}

extension Replay {
  /// CPython's trampolines for perf (`-X perf`): a piece of code for each function, called `py::NAME:FILE`, whose frames are there.
  static func trampolines(_ locations: [CodeLocation], _ contents: TraceContents, _ names: SymbolNames) -> Set<UInt32> {
    guard contents.codes.values.contains(where: { $0.interpreter.rawValue == InterpreterKind.python.rawValue }) else { return [] }
    var found: Set<UInt32> = []
    for (number, location) in locations.enumerated() where contents.images[location.image]?.kind == .anonymous {
      guard case .frames(let frames) = names.answer(for: location), let frame = frames.first else { continue }
      if names.strings[StringHandle(frame.function)].hasPrefix("py::") { found.insert(UInt32(number)) }
    }
    return found
  }
}

/// Counts interpreters' frames while a report walks the stacks.
struct InterpreterTotals {
  private let contents: TraceContents
  private var frames: [String: UInt64] = [:]
  private var codes: [String: Int] = [:]
  private var failures: [String: UInt64] = [:]

  init(_ contents: TraceContents) {
    self.contents = contents
    for code in contents.codes.values { codes[code.runtime, default: 0] += 1 }
  }

  /// A frame that is there, with a name or without.
  mutating func note(_ location: CodeLocation, _ weight: UInt64) {
    let place = InterpreterPlace(packed: location.address)
    if let code = contents.codes[place.code] {
      frames[code.runtime, default: 0] &+= weight
    } else {
      note(failure: UInt8(clamping: place.instruction), weight)
    }
  }

  mutating func note(failure raw: UInt8, _ weight: UInt64) {
    failures[InterpreterFailure(rawValue: raw)?.name ?? "reason_\(raw)", default: 0] &+= weight
  }

  var results: ([ReplayReport.Interpreter], [String: UInt64]) {
    let runtimes = codes.keys.sorted().map { ReplayReport.Interpreter(runtime: $0, codes: codes[$0] ?? 0, frames: frames[$0] ?? 0) }
    return (runtimes.sorted { ($1.frames, $0.runtime) < ($0.frames, $1.runtime) }, failures)
  }
}
