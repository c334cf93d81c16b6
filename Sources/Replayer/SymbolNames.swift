import Base
package import Profile
import Symbolize
package import TraceFormat

/// The names of code locations, in one form whether they come from the trace or were just looked up.
package struct SymbolNames: Sendable {
  package struct NamedFrame: Hashable, Sendable {
    /// Indices of `strings`; 0 is the empty string.
    package var function: UInt32
    package var file: UInt32
    package var line: UInt32
    package var startLine: UInt32
  }
  package private(set) var strings = StringTable()
  private var stringIndex: [String: UInt32] = ["": 0]
  /// By image: where its entries are in the three arrays below.
  private var tables: [UInt32: Range<Int>] = [:]
  /// Ascending within an image; for each address where its frames end in `frames`, and why there are none.
  private var addresses: [UInt64] = []
  private var frameEnds: [UInt32] = []
  private var reasons: [UInt8] = []
  private var frames: [NamedFrame] = []

  package enum Answer {
    case frames(ArraySlice<NamedFrame>)
    /// A `MissReason`'s raw value; a newer version's stays a number.
    case unknown(reason: UInt8)
    /// Nobody has looked this address up.
    case notAsked
  }

  package init() {}

  /// The newest finished symbols of a trace; `nil` when there are none.
  init?(layerOf contents: TraceContents) {
    guard let layer = contents.newestLayer(.symbols), let names = contents.symbolLayers[layer]?.names else { return nil }
    self = names
  }

  /// Takes what a layer says; `false` when its strings do not follow those before them, which would misname functions.
  mutating func add(_ record: SymbolStringsRecord) -> Bool {
    guard Int(record.first) == strings.count else { return false }
    for string in record.strings { _ = strings.append(string) }
    return true
  }

  /// The records of an image come one after another; one that does not is passed over.
  mutating func add(_ record: SymbolsRecord) {
    let start: Int
    if let known = tables[record.image.rawValue] {
      guard known.upperBound == addresses.count else { return }
      start = known.lowerBound
    } else {
      start = addresses.count
    }
    let entries = record.addresses.span
    for place in entries.indices {
      let entry = entries[place]
      // Sorted within and over the records of an image; anything else could not be found again.
      if addresses.count > start, addresses[addresses.count - 1] >= entry.address { continue }
      for frame in entry.frames where Int(frame.function) < strings.count && Int(frame.file) < strings.count {
        frames.append(NamedFrame(function: frame.function, file: frame.file, line: frame.line, startLine: frame.startLine))
      }
      close(entry.address, reason: entry.reason)
    }
    tables[record.image.rawValue] = start..<addresses.count
  }

  /// Ends the entry of `address`, whose frames were appended.
  private mutating func close(_ address: UInt64, reason: UInt8) {
    addresses.append(address)
    frameEnds.append(UInt32(frames.count))
    reasons.append(reason)
  }

  /// Takes what a symbolizer found for ascending `addresses` of an image.
  mutating func add(image: UInt32, addresses new: [UInt64], _ found: [Symbolization]) {
    let start = addresses.count
    for (address, symbolization) in zip(new, found) {
      switch symbolization {
      case .frames(let list):
        for frame in list {
          frames.append(
            NamedFrame(
              function: string(frame.function), file: string(frame.file ?? ""), line: frame.line ?? 0,
              startLine: frame.startLine ?? 0))
        }
        close(address, reason: 0)
      case .unknown(let reason): close(address, reason: reason.rawValue)
      }
    }
    tables[image] = start..<addresses.count
  }

  private mutating func string(_ text: String) -> UInt32 {
    if let known = stringIndex[text] { return known }
    let number = strings.append(text).rawValue
    stringIndex[text] = number
    return number
  }

  func answer(for location: CodeLocation) -> Answer {
    var cursor = Cursor()
    guard let entry = entry(of: location, &cursor) else { return .notAsked }
    let range = frameRange(entry)
    return range.isEmpty ? .unknown(reason: reasons[entry]) : .frames(frames[range])
  }

  /// The image asked for last: neighbours in a profile share it.
  struct Cursor {
    fileprivate var image = UInt32.max
    fileprivate var table: Range<Int>?
    fileprivate var hasFrames = false
    fileprivate var isKnown = false
  }

  /// The frames of `location`, innermost first; empty when it has no name.
  @inline(__always)
  func frames(of location: CodeLocation, _ cursor: inout Cursor) -> Range<Int> {
    if cursor.isKnown, cursor.image == location.image, !cursor.hasFrames { return 0..<0 }
    return entry(of: location, &cursor).map { frameRange($0) } ?? 0..<0
  }

  /// By string: whether it is the name of any function.
  func functionFlags() -> [Bool] {
    var flags = [Bool](repeating: false, count: strings.count)
    for frame in frames { flags[Int(frame.function)] = true }
    return flags
  }

  @inline(__always) func frame(_ index: Int) -> NamedFrame { frames[index] }

  private func frameRange(_ entry: Int) -> Range<Int> {
    (entry == 0 ? 0 : Int(frameEnds[entry - 1]))..<Int(frameEnds[entry])
  }

  private func hasFrames(_ table: Range<Int>) -> Bool {
    !table.isEmpty && frameRange(table.lowerBound).lowerBound < frameRange(table.upperBound - 1).upperBound
  }

  private func entry(of location: CodeLocation, _ cursor: inout Cursor) -> Int? {
    if !cursor.isKnown || cursor.image != location.image {
      cursor.image = location.image
      cursor.table = tables[location.image]
      // Of memory without an image nothing has a name.
      cursor.hasFrames = cursor.table.map { hasFrames($0) } ?? false
      cursor.isKnown = true
    }
    guard let table = cursor.table else { return nil }
    var low = table.lowerBound
    var high = table.upperBound
    while low < high {
      let middle = (low &+ high) &>> 1
      if addresses[middle] < location.address { low = middle &+ 1 } else { high = middle }
    }
    return low < table.upperBound && addresses[low] == location.address ? low : nil
  }

  /// The records that `symbolize` appends as layer `layer`, the end not among them.
  package func records(layer: UInt32) -> [TraceRecord] {
    var records: [TraceRecord] = []
    // Pieces that fit a frame of the segment with room to spare.
    var piece: [String] = []
    var bytes = 0
    var first = 1
    func flush() {
      guard !piece.isEmpty else { return }
      records.append(.symbolStrings(SymbolStringsRecord(layer: layer, first: UInt32(first), strings: piece)))
      first += piece.count
      piece = []
      bytes = 0
    }
    for number in 1..<max(strings.count, 1) {
      let string = strings[StringHandle(UInt32(number))]
      piece.append(string)
      bytes += string.utf8.count + 4
      if bytes > 128 * 1024 || piece.count >= 16_384 { flush() }
    }
    flush()
    for image in tables.keys.sorted() {
      guard let table = tables[image] else { continue }
      for start in stride(from: table.lowerBound, to: table.upperBound, by: 8192) {
        let entries = (start..<min(start + 8192, table.upperBound)).map { entry -> SymbolsRecord.Entry in
          let list = frames[frameRange(entry)].map {
            SymbolsRecord.Frame(function: $0.function, file: $0.file, line: $0.line, startLine: $0.startLine)
          }
          return SymbolsRecord.Entry(address: addresses[entry], frames: list, reason: reasons[entry])
        }
        records.append(.symbols(SymbolsRecord(layer: layer, image: ImageHandle(image), addresses: entries)))
      }
    }
    return records
  }
}

/// The names of one layer as far as they were read.
struct SymbolLayer: Sendable {
  private(set) var recordCount = 0
  private var isOrdered = true
  private var read = SymbolNames()

  /// `nil` when strings of it are missing.
  var names: SymbolNames? { isOrdered ? read : nil }

  mutating func add(_ record: SymbolStringsRecord) {
    recordCount += 1
    if !read.add(record) { isOrdered = false }
  }

  mutating func add(_ record: SymbolsRecord) {
    recordCount += 1
    read.add(record)
  }
}
