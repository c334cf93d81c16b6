package import Base

/// A function at an address, as the debug information has it.
package struct DebugFrame: Hashable, Sendable {
  /// The linkage name, or the qualified name where there is none; `nil` when the code belongs to no function.
  package var function: String?
  /// The path: absolute when the compiler was given one or told its directory.
  package var file: String?
  /// Counts from 1; of an outer frame the line of the call.
  package var line: UInt32?
  /// Counts from 1.
  package var column: UInt32?
  /// Where the function is declared.
  package var startLine: UInt32?
  /// Its code is part of the next frame's.
  package var isInlined: Bool
}

/// The frames of many addresses; texts are kept once for each unit and become strings when asked for.
package struct DebugFrames: Sendable {
  /// The number of addresses.
  package var count: Int { places.count }
  var units: [UnitFrames] = []
  /// By address.
  var places: [Place]
  /// Why nothing of the file is believed.
  package private(set) var problem: MalformedInput?

  struct Place: Sendable {
    /// -1 when no unit has the address.
    var unit: Int32
    var target: Int32

    static let none = Place(unit: -1, target: -1)
  }

  init(units: [UnitFrames], places: [Place]) {
    self.units = units
    self.places = places
  }

  /// Nothing is known of any address.
  init(noneFor count: Int, problem: MalformedInput? = nil) {
    places = [Place](repeating: .none, count: count)
    self.problem = problem
  }

  /// Innermost first; empty when nothing is known of the address.
  package func frames(at index: Int) -> [DebugFrame] {
    let place = places[index]
    guard place.unit >= 0 else { return [] }
    return units[Int(place.unit)].frames(of: Int(place.target))
  }

  /// Reads the frames of one address after the other; a text becomes a string once, however many frames have it.
  package struct Search {
    private let all: DebugFrames
    /// By unit, and text of the unit.
    private var strings: [UInt64: String] = [:]

    fileprivate init(_ all: DebugFrames) { self.all = all }

    /// As `DebugFrames` gives them.
    package mutating func frames(at index: Int) -> [DebugFrame] {
      let place = all.places[index]
      guard place.unit >= 0 else { return [] }
      let unit = UInt64(place.unit) << 32
      return all.units[Int(place.unit)].frames(of: Int(place.target)) { text, texts in
        let key = unit | UInt64(text)
        if let known = strings[key] { return known }
        let made = texts.text(text)
        strings[key] = made
        return made
      }
    }
  }

  package func search() -> Search { Search(self) }

  /// The number of frames of an address.
  package func frameCount(at index: Int) -> Int {
    let place = places[index]
    return place.unit < 0 ? 0 : units[Int(place.unit)].range(of: Int(place.target)).count
  }
}

/// The frames found in one unit.
struct UnitFrames: Sendable {
  struct Frame: Sendable {
    /// Into `texts`; -1 for none.
    var function: Int32
    var file: Int32
    /// 0 for none.
    var line: UInt32
    var column: UInt32
    var startLine: UInt32
    var isInlined: Bool
  }
  var texts = TextTable()
  var frames: [Frame] = []
  /// By target: where its frames end; they begin where those of the one before end.
  var ends: [Int32] = []

  func range(of target: Int) -> Range<Int> { (target == 0 ? 0 : Int(ends[target - 1]))..<Int(ends[target]) }

  func frames(of target: Int) -> [DebugFrame] { frames(of: target) { $1.text($0) } }

  /// - Parameter string: of a text, by its number.
  func frames(of target: Int, _ string: (Int32, borrowing TextTable) -> String) -> [DebugFrame] {
    frames[range(of: target)].map { frame in
      DebugFrame(
        function: frame.function < 0 ? nil : string(frame.function, texts),
        file: frame.file < 0 ? nil : string(frame.file, texts), line: frame.line == 0 ? nil : frame.line,
        column: frame.column == 0 ? nil : frame.column, startLine: frame.startLine == 0 ? nil : frame.startLine,
        isInlined: frame.isInlined)
    }
  }
}

/// Texts in one piece of memory.
struct TextTable: Sendable {
  /// Of all texts of a unit together; what comes after is left out.
  static let maximumByteCount = 64 << 20
  private(set) var bytes: [UInt8] = []
  private var ends: [Int32] = []

  /// As `add`; -1 for an empty text, too.
  mutating func add(nonEmpty text: RawSpan) -> Int32 { text.byteCount == 0 ? -1 : add(text) }

  /// The number of the new text; -1 when there is no room left.
  mutating func add(_ parts: RawSpan) -> Int32 {
    guard bytes.count + parts.byteCount <= Self.maximumByteCount else { return -1 }
    append(parts)
    return finish()
  }

  /// Adds to the text that `finish` will end; nothing when there is no room left.
  mutating func append(_ part: RawSpan) {
    guard bytes.count + part.byteCount <= Self.maximumByteCount else { return }
    // Safe: the buffer is used only inside the closure.
    unsafe part.withUnsafeBytes { unsafe bytes.append(contentsOf: $0) }
  }

  mutating func append(_ text: StaticString) {
    // Safe: the string's own bytes, as many as it has.
    unsafe bytes.append(contentsOf: UnsafeBufferPointer(start: text.utf8Start, count: text.utf8CodeUnitCount))
  }

  /// Ends the text that was appended; its number.
  mutating func finish() -> Int32 {
    ends.append(Int32(bytes.count))
    return Int32(ends.count - 1)
  }

  var count: Int { ends.count }

  @_lifetime(borrow self)
  func span(_ number: Int32) -> RawSpan {
    let start = number == 0 ? 0 : Int(ends[Int(number) - 1])
    let found = bytes.borrowedBytes.extracting(start..<Int(ends[Int(number)]))
    // Safe: the bytes are a part of the array, which `self` keeps.
    return unsafe _overrideLifetime(found, borrowing: self)
  }

  func text(_ number: Int32) -> String {
    let start = number == 0 ? 0 : Int(ends[Int(number) - 1])
    return String(decoding: bytes[start..<Int(ends[Int(number)])], as: UTF8.self)
  }
}
