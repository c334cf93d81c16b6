import Base
#if canImport(Glibc)
  import Glibc
#else
  import Musl
#endif

/// The lines of collapsed text as rows of numbered frame texts: a text is there once, however many lines hold it.
struct CollapsedLines {
  private var texts = FrameTexts()
  /// What a line starts with, by thread name or label.
  private var comms: [StringHandle: UInt32] = [:]
  private let commKey: StringHandle?
  /// By location: its frames in `locationFrames`, outermost first.
  private var locationFrames: [UInt32] = []
  private var locationEnds: [Int] = []
  /// By node of the tree of stacks: the frames of its stack.
  private var depths: [UInt32] = []
  /// The texts of all lines one after another, each from its root.
  private var rows: [UInt32] = []
  private var lines: [Line] = []

  private struct Line {
    var start: Int
    var end: Int
    var count: Int64
  }

  /// Bytes that are put together before they are given away.
  private static let pieceBytes = 1 << 18

  init(_ profile: Profile, _ options: FormatOptions) {
    commKey = profile.samples.labels.first { profile.strings[$0.key] == "comm" }?.key
    locationEnds.reserveCapacity(profile.locations.count)
    for place in 0..<profile.locations.count {
      let lines = profile.locations.lineRange(place)
      if lines.isEmpty { locationFrames.append(texts.unknown(at: profile.locations.addresses[place])) }
      for index in lines.reversed() {
        let isInlined = index != lines.upperBound - 1
        locationFrames.append(
          texts.number(
            of: profile.locations.lines[index], in: profile, options, isInlined: isInlined,
            isKernel: profile.locations.isKernel[place]))
      }
      locationEnds.append(locationFrames.count)
    }
    depths = profile.samples.stackTable.sums { UInt32(Self.frameRange($0.index, locationEnds).count) }
    rows.reserveCapacity(profile.samples.stacks.reduce(profile.samples.count) { $0 + Int(depths[$1.index]) })
    lines.reserveCapacity(profile.samples.count)
  }

  private static func frameRange(_ location: Int, _ ends: [Int]) -> Range<Int> {
    (location == 0 ? 0 : ends[location - 1])..<ends[location]
  }

  mutating func append(_ sample: Int, of profile: Profile, count: Int64) {
    let start = rows.count
    rows.append(comm(of: sample, profile))
    var stack = profile.samples.stacks[sample]
    rows.append(contentsOf: repeatElement(0, count: Int(depths[stack.index])))
    // The tree leads from the leaf up; the row begins at the root.
    var place = rows.count
    while stack != .empty {
      let node = profile.samples.stackTable.nodes[stack.index]
      for frame in Self.frameRange(node.location.index, locationEnds).reversed() {
        place -= 1
        rows[place] = locationFrames[frame]
      }
      stack = node.caller
    }
    lines.append(Line(start: start, end: rows.count, count: count))
  }

  private mutating func comm(of sample: Int, _ profile: Profile) -> UInt32 {
    var name = profile.samples.threadNames[sample]
    if name == .empty, let commKey {
      name = profile.samples.labels(sample).first { $0.key == commKey }?.text ?? .empty
    }
    if let known = comms[name] { return known }
    let number = texts.number(ofComm: name, in: profile)
    comms[name] = number
    return number
  }

  // MARK: Writing

  /// Gives the text away in pieces, sorted bytewise; of equal lines one with the sum.
  consuming func write<Failure: Error>(to output: ([UInt8]) throws(Failure) -> Void) throws(Failure) {
    sort()
    var piece: [UInt8] = []
    piece.reserveCapacity(Self.pieceBytes + (1 << 16))
    var next = 0
    while next < lines.count {
      let line = lines[next]
      var count: Int64 = 0
      while next < lines.count, isSame(line, lines[next]) {
        let (sum, overflow) = count.addingReportingOverflow(lines[next].count)
        count = overflow ? .max : sum
        next += 1
      }
      for place in line.start..<line.end {
        if place > line.start { piece.append(UInt8(ascii: ";")) }
        texts.append(rows[place], to: &piece)
      }
      piece.append(UInt8(ascii: " "))
      piece.append(contentsOf: String(count).utf8)
      piece.append(UInt8(ascii: "\n"))
      if piece.count >= Self.pieceBytes {
        try output(piece)
        piece.removeAll(keepingCapacity: true)
      }
    }
    if !piece.isEmpty { try output(piece) }
  }

  private func isSame(_ one: Line, _ other: Line) -> Bool {
    one.start == other.start || rows[one.start..<one.end] == rows[other.start..<other.end]
  }

  /// Sorts as the text would be, without writing it: lines differ where their numbers first do, and no text holds the
  /// `;` that follows a frame or anything below it that could follow the last.
  private mutating func sort() {
    var lines = lines
    self.lines = []
    unsafe rows.withUnsafeBufferPointer { rows in
      unsafe texts.withBytes { texts in
        lines.sort { one, other in
          var left = one.start
          var right = other.start
          // Safe: `left` and `right` stay inside their lines, which lie in `rows`; numbers in it are those of texts.
          while left < one.end, right < other.end, unsafe rows[left] == rows[right] {
            left &+= 1
            right &+= 1
          }
          guard left < one.end, right < other.end else { return right < other.end }
          let order = unsafe texts.compare(rows[left], left &+ 1 == one.end, rows[right], right &+ 1 == other.end)
          return order
        }
      }
    }
    self.lines = lines
  }
}

/// Texts of frames, each once.
private struct FrameTexts {
  private var bytes: [UInt8] = []
  private var ends: [Int] = []
  private var index = HashIndex()
  /// By function, + 1: what its own name stands for, where nothing is added to it.
  private var plain: [UInt32] = []

  private func range(_ number: UInt32) -> Range<Int> { (number == 0 ? 0 : ends[Int(number) - 1])..<ends[Int(number)] }

  func append(_ number: UInt32, to output: inout [UInt8]) { output.append(contentsOf: bytes[range(number)]) }

  mutating func unknown(at address: UInt64) -> UInt32 {
    bytes.append(contentsOf: "[unknown]+0x".utf8)
    bytes.append(contentsOf: String(address, radix: 16).utf8)
    return close()
  }

  mutating func number(ofComm name: StringHandle, in profile: Profile) -> UInt32 {
    if name == .empty { bytes.append(contentsOf: "[unknown]".utf8) } else { append(frame: name, of: profile) }
    return close()
  }

  mutating func number(
    of line: ProfileLine, in profile: Profile, _ options: FormatOptions, isInlined: Bool, isKernel: Bool
  ) -> UInt32 {
    let isPlain = !options.lines && !options.annotate
    if isPlain {
      if plain.isEmpty { plain = [UInt32](repeating: 0, count: profile.functions.count) }
      if plain[line.function.index] != 0 { return plain[line.function.index] - 1 }
    }
    let function = profile.functions[line.function.index]
    if function.name == .empty { bytes.append(contentsOf: "[unknown]".utf8) } else { append(frame: function.name, of: profile) }
    if options.lines, function.file != .empty {
      bytes.append(contentsOf: " (".utf8)
      append(frame: function.file, of: profile)
      bytes.append(contentsOf: ":\(line.line))".utf8)
    }
    if options.annotate {
      if isInlined {
        bytes.append(contentsOf: "_[i]".utf8)
      } else if isKernel {
        bytes.append(contentsOf: "_[k]".utf8)
      }
    }
    let number = close()
    if isPlain { plain[line.function.index] = number + 1 }
    return number
  }

  /// Appends a string with what would end a frame or a line replaced.
  private mutating func append(frame text: StringHandle, of profile: Profile) {
    for byte in profile.strings.utf8(text) {
      switch byte {
      case UInt8(ascii: ";"): bytes.append(UInt8(ascii: ":"))
      case 0..<0x20, 0x7f: bytes.append(UInt8(ascii: " "))
      default: bytes.append(byte)
      }
    }
  }

  /// The number of the text at the end of `bytes`, which goes again when it is known.
  private mutating func close() -> UInt32 {
    let start = ends.last ?? 0
    var hash = IntegerHash()
    hash.combine(bytes: bytes.span.extracting(start..<bytes.count))
    let known = index.find(hash.value) { number in
      let range = range(UInt32(number))
      return range.count == bytes.count - start && bytes[range] == bytes[start...]
    }
    if let known {
      bytes.removeLast(bytes.count - start)
      return UInt32(known)
    }
    index.insert(hash.value, place: ends.count)
    ends.append(bytes.count)
    return UInt32(ends.count - 1)
  }

  @unsafe struct Bytes {
    fileprivate let start: UnsafePointer<UInt8>
    fileprivate let ends: UnsafeBufferPointer<Int>

    private func range(_ number: UInt32) -> Range<Int> {
      // Safe: `number` is that of a text.
      unsafe (number == 0 ? 0 : ends[Int(number) - 1])..<ends[Int(number)]
    }

    /// Whether text `one`, followed by the end of a line or by `;`, comes before the different text `other`.
    func compare(_ one: UInt32, _ oneIsLast: Bool, _ other: UInt32, _ otherIsLast: Bool) -> Bool {
      let left = unsafe range(one)
      let right = unsafe range(other)
      let shorter = min(left.count, right.count)
      // Safe: `shorter` bytes from either start lie inside the texts.
      let order = unsafe memcmp(start + left.lowerBound, start + right.lowerBound, shorter)
      if order != 0 { return order < 0 }
      let end = UInt8(ascii: ";")
      if left.count < right.count {
        let next = unsafe start[right.lowerBound + shorter]
        return oneIsLast || end < next
      }
      let next = unsafe start[left.lowerBound + shorter]
      return !otherIsLast && next < end
    }
  }

  func withBytes(_ body: (Bytes) -> Void) {
    unsafe bytes.withUnsafeBufferPointer { bytes in
      unsafe ends.withUnsafeBufferPointer { ends in
        guard let start = bytes.baseAddress else { return }
        unsafe body(Bytes(start: start, ends: ends))
      }
    }
  }
}
