import Base

/// What one call prepared, to be kept for the next.
package struct PreparedBatch: Sendable {
  /// More is not kept.
  package static let maximumByteCount = 64 << 20

  /// Of units, and which code is theirs.
  private var units: [(unit: Int32, prepared: PreparedUnit)] = []
  private var map: AddressMap
  /// Addresses in no unit.
  private var nowhere: [UInt64] = []

  init(_ units: [(unit: Int32, prepared: PreparedUnit)], _ map: AddressMap, nowhere: [UInt64]) {
    self.units = units
    self.map = map
    self.nowhere = nowhere
  }

  /// The bytes that `PreparedFrames` reads, with what was kept `before`; `nil` when there is nothing to keep or it is too much.
  package func bytes(key: [UInt8], keeping before: PreparedFrames? = nil) -> [UInt8]? {
    if let before, let together = table(before).bytes(key: key) { return together }
    return table(nil).bytes(key: key)
  }

  private func table(_ before: PreparedFrames?) -> PreparedTable {
    var table = PreparedTable()
    if let before { table.add(before) }
    for address in nowhere where address < .max {
      table.add(CodeRange(start: address, end: address + 1), .nothing)
    }
    for (unit, prepared) in units { table.add(prepared, of: unit, map) }
    return table
  }
}

/// Kept answers while they are put together: each text, node and answer once.
private struct PreparedTable {
  private struct Segment {
    var start: UInt64
    var end: UInt64
    var answer: UInt32
  }
  private var segments: [Segment] = []
  private var answers: [PreparedUnit.Answer] = []
  private var answerNumbers: [PreparedUnit.Answer: UInt32] = [:]
  private var nodes: [PreparedUnit.Node] = []
  private var nodeNumbers: [PreparedUnit.Node: Int32] = [:]
  private var texts: [UInt8] = []
  private var textEnds: [Int] = []
  private var textNumbers = HashIndex(capacity: 1 << 12)
  /// Runs of units' code that may still be gone over: the answers of a hostile file could each reach over all of them.
  private var runsLeft = 1 << 26

  mutating func add(_ range: CodeRange, _ answer: PreparedUnit.Answer) {
    segments.append(Segment(start: range.start, end: range.end, answer: number(of: answer)))
  }

  mutating func add(_ prepared: PreparedFrames) {
    let layout = prepared.layout
    var textNumbers: [Int32] = []
    for index in 0..<layout.textCount { textNumbers.append(number(of: prepared.textBytes(Int32(clamping: index)))) }
    func text(_ index: Int32) -> Int32 { index < 0 ? -1 : textNumbers[Int(index)] }
    var nodeNumbers: [Int32] = []
    for index in 0..<layout.nodeCount {
      let node = prepared.node(index)
      nodeNumbers.append(number(of: renumbered(node, text, nodeNumbers)))
    }
    var answerNumbers: [UInt32] = []
    for index in 0..<layout.answerCount { answerNumbers.append(number(of: renumbered(prepared.answer(index), text, nodeNumbers))) }
    for index in 0..<layout.segmentCount {
      let answer = prepared.number(layout.segmentAnswersOffset, index)
      guard answer < layout.answerCount else { continue }
      let (start, end) = (prepared.start(index), index + 1 < layout.segmentCount ? prepared.start(index + 1) : .max)
      // A table ends with a segment that says nothing.
      guard start < end, index + 1 < layout.segmentCount else { continue }
      segments.append(Segment(start: start, end: end, answer: answerNumbers[Int(answer)]))
    }
  }

  mutating func add(_ prepared: PreparedUnit, of unit: Int32, _ map: AddressMap) {
    var textNumbers: [Int32] = []
    for index in 0..<prepared.texts.count { textNumbers.append(number(of: prepared.texts.span(Int32(index)))) }
    func text(_ index: Int32) -> Int32 { index < 0 ? -1 : textNumbers[Int(index)] }
    var nodeNumbers: [Int32] = []
    for node in prepared.nodes { nodeNumbers.append(number(of: renumbered(node, text, nodeNumbers))) }
    var from = 0
    for segment in prepared.segments {
      var answer: UInt32?
      let range = CodeRange(start: segment.start, end: segment.end)
      runsLeft -= map.parts(of: range, in: unit, from: &from, limit: runsLeft) { part in
        let number = answer ?? self.number(of: renumbered(segment.answer, text, nodeNumbers))
        answer = number
        segments.append(Segment(start: part.start, end: part.end, answer: number))
      }
    }
  }

  private func renumbered(_ node: PreparedUnit.Node, _ text: (Int32) -> Int32, _ nodes: [Int32]) -> PreparedUnit.Node {
    PreparedUnit.Node(
      parent: node.parent < 0 ? -1 : nodes[Int(node.parent)], name: text(node.name), startLine: node.startLine,
      callFile: text(node.callFile), callLine: node.callLine)
  }

  private func renumbered(
    _ answer: PreparedUnit.Answer, _ text: (Int32) -> Int32, _ nodes: [Int32]
  ) -> PreparedUnit.Answer {
    PreparedUnit.Answer(node: answer.node < 0 ? -1 : nodes[Int(answer.node)], file: text(answer.file), line: answer.line)
  }

  private mutating func number(of answer: PreparedUnit.Answer) -> UInt32 {
    if let known = answerNumbers[answer] { return known }
    answers.append(answer)
    answerNumbers[answer] = UInt32(answers.count - 1)
    return UInt32(answers.count - 1)
  }

  private mutating func number(of node: PreparedUnit.Node) -> Int32 {
    if let known = nodeNumbers[node] { return known }
    nodes.append(node)
    nodeNumbers[node] = Int32(nodes.count - 1)
    return Int32(nodes.count - 1)
  }

  /// Eight bytes at a time.
  private static func hash(_ text: RawSpan) -> UInt64 {
    var hash = UInt64(text.byteCount)
    var index = 0
    while let word = text.integer(at: index, as: UInt64.self) {
      hash = (hash ^ word) &* 0x9e37_79b9_7f4a_7c15
      hash ^= hash >> 29
      index += 8
    }
    while let byte = text.byte(at: index) {
      hash = (hash ^ UInt64(byte)) &* 0x100_0000_01b3
      index += 1
    }
    hash = (hash ^ hash >> 32) &* 0x9e37_79b9_7f4a_7c15
    return hash ^ hash >> 29
  }

  private static func equal(_ a: RawSpan, _ b: RawSpan) -> Bool {
    guard a.byteCount == b.byteCount else { return false }
    var index = 0
    while let word = a.integer(at: index, as: UInt64.self) {
      guard word == b.integer(at: index, as: UInt64.self) else { return false }
      index += 8
    }
    while let byte = a.byte(at: index) {
      guard byte == b.byte(at: index) else { return false }
      index += 1
    }
    return true
  }

  private mutating func number(of text: RawSpan) -> Int32 {
    let hash = Self.hash(text)
    let known = textNumbers.find(hash) { place in
      let start = place == 0 ? 0 : textEnds[place - 1]
      return Self.equal(text, texts.borrowedBytes.extracting(start..<textEnds[place]))
    }
    if let known { return Int32(known) }
    // Safe: the buffer is used only inside the closure.
    unsafe text.withUnsafeBytes { unsafe texts.append(contentsOf: $0) }
    textEnds.append(texts.count)
    textNumbers.insert(hash, place: textEnds.count - 1)
    return Int32(textEnds.count - 1)
  }
}

extension PreparedTable {
  /// Where each answer begins, ascending; `PreparedLayout.none` where nothing is known.
  private func joined() -> [(start: UInt64, answer: UInt32)] {
    var list: [(start: UInt64, answer: UInt32)] = []
    var place: UInt64 = 0
    // Where they overlap they say the same: each is what the file says there.
    for segment in segments.sorted(by: { $0.start < $1.start }) {
      let start = max(segment.start, place)
      guard start < segment.end else { continue }
      if let last = list.last, last.start == start {
        list[list.count - 1].answer = segment.answer
      } else {
        list.append((start, segment.answer))
      }
      list.append((segment.end, PreparedLayout.none))
      place = segment.end
    }
    return list
  }

  /// - Returns: `nil` when nothing is known, addresses are too far apart, or the bytes are too many.
  func bytes(key: [UInt8]) -> [UInt8]? {
    let list = joined()
    guard let first = list.first?.start, let last = list.last?.start, UInt32(exactly: last - first) != nil,
      key.count <= PreparedLayout.maximumKeyByteCount
    else { return nil }
    let layout = PreparedLayout(
      keyByteCount: key.count, base: first, segmentCount: list.count, answerCount: answers.count, nodeCount: nodes.count,
      textCount: textEnds.count, textByteCount: texts.count)
    guard layout.byteCount <= PreparedBatch.maximumByteCount else { return nil }
    var columns: [UInt32] = []
    columns.reserveCapacity((layout.textsOffset - layout.startsOffset) / 4)
    for entry in list { columns.append(UInt32(truncatingIfNeeded: entry.start - first)) }
    for entry in list { columns.append(entry.answer) }
    for answer in answers {
      columns.append(UInt32(bitPattern: answer.node))
      columns.append(UInt32(bitPattern: answer.file))
      columns.append(answer.line)
    }
    for node in nodes {
      columns.append(UInt32(bitPattern: node.parent))
      columns.append(UInt32(bitPattern: node.name))
      columns.append(node.startLine)
      columns.append(UInt32(bitPattern: node.callFile))
      columns.append(node.callLine)
    }
    for end in textEnds { columns.append(UInt32(end)) }
    var writer = ByteWriter(capacity: layout.byteCount)
    layout.write(&writer, key: key)
    // Safe: numbers have no padding; both architectures are little-endian.
    writer.append(unsafe columns.span.bytes)
    writer.append(texts)
    writer.write(CRC32.of(writer.bytes.borrowedBytes))
    return writer.bytes
  }
}
