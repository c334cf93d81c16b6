import Base
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
  package private(set) var strings: [String] = [""]
  private var stringIndex: [String: UInt32] = ["": 0]
  /// By image: ascending addresses, and for each where its frames are in `frames`, or why there are none.
  private var tables: [UInt32: Table] = [:]
  private var frames: [NamedFrame] = []

  private struct Table: Sendable {
    var addresses: [UInt64] = []
    var firstFrame: [UInt32] = []
    var frameCount: [UInt16] = []
    var reasons: [UInt8] = []
  }

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
    guard let layer = contents.newestLayer(.symbols) else { return nil }
    for record in contents.symbolStrings[layer] ?? [] {
      // Records of a layer come in order; a number out of order would misname functions.
      guard Int(record.first) == strings.count else { return nil }
      strings += record.strings
    }
    for record in contents.symbolRecords[layer] ?? [] { add(record) }
  }

  private mutating func add(_ record: SymbolsRecord) {
    var table = tables[record.image.rawValue] ?? Table()
    for entry in record.addresses {
      // Sorted within and over the records of an image; anything else could not be found again.
      if let last = table.addresses.last, last >= entry.address { continue }
      table.addresses.append(entry.address)
      table.firstFrame.append(UInt32(frames.count))
      var count: UInt16 = 0
      for frame in entry.frames.prefix(Int(UInt16.max)) where Int(frame.function) < strings.count && Int(frame.file) < strings.count {
        frames.append(NamedFrame(function: frame.function, file: frame.file, line: frame.line, startLine: frame.startLine))
        count += 1
      }
      table.frameCount.append(count)
      table.reasons.append(entry.reason)
    }
    tables[record.image.rawValue] = table
  }

  /// Takes what a symbolizer found for ascending `addresses` of an image.
  mutating func add(image: UInt32, addresses: [UInt64], _ found: [Symbolization]) {
    var table = Table()
    for (address, symbolization) in zip(addresses, found) {
      table.addresses.append(address)
      table.firstFrame.append(UInt32(frames.count))
      switch symbolization {
      case .frames(let list):
        for frame in list.prefix(Int(UInt16.max)) {
          frames.append(
            NamedFrame(
              function: string(frame.function), file: string(frame.file ?? ""), line: frame.line ?? 0,
              startLine: frame.startLine ?? 0))
        }
        table.frameCount.append(UInt16(min(list.count, Int(UInt16.max))))
        table.reasons.append(0)
      case .unknown(let reason):
        table.frameCount.append(0)
        table.reasons.append(reason.rawValue)
      }
    }
    tables[image] = table
  }

  private mutating func string(_ text: String) -> UInt32 {
    if let known = stringIndex[text] { return known }
    let number = UInt32(strings.count)
    strings.append(text)
    stringIndex[text] = number
    return number
  }

  func answer(for location: CodeLocation) -> Answer {
    guard let table = tables[location.image] else { return .notAsked }
    var low = 0
    var high = table.addresses.count
    while low < high {
      let middle = (low + high) / 2
      if table.addresses[middle] < location.address { low = middle + 1 } else { high = middle }
    }
    guard low < table.addresses.count, table.addresses[low] == location.address else { return .notAsked }
    let count = Int(table.frameCount[low])
    guard count > 0 else { return .unknown(reason: table.reasons[low]) }
    let first = Int(table.firstFrame[low])
    return .frames(frames[first..<(first + count)])
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
    for string in strings.dropFirst() {
      piece.append(string)
      bytes += string.utf8.count + 4
      if bytes > 128 * 1024 || piece.count >= 16_384 { flush() }
    }
    flush()
    for image in tables.keys.sorted() {
      guard let table = tables[image] else { continue }
      for start in stride(from: 0, to: table.addresses.count, by: 8192) {
        let entries = (start..<min(start + 8192, table.addresses.count)).map { index -> SymbolsRecord.Entry in
          let first = Int(table.firstFrame[index])
          let list = frames[first..<(first + Int(table.frameCount[index]))].map {
            SymbolsRecord.Frame(function: $0.function, file: $0.file, line: $0.line, startLine: $0.startLine)
          }
          return SymbolsRecord.Entry(address: table.addresses[index], frames: list, reason: table.reasons[index])
        }
        records.append(.symbols(SymbolsRecord(layer: layer, image: ImageHandle(image), addresses: entries)))
      }
    }
    return records
  }
}
