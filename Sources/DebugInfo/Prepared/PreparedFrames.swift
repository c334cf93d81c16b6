import Base

/// Answers of a debug file that an earlier call prepared, read where they lie.
///
/// Whatever the bytes hold, a look-up ends and stays within them: every number is checked where it is used.
package struct PreparedFrames: Sendable {
  private let owner: any SharedBytes
  let layout: PreparedLayout

  /// - Parameter key: what the bytes must be of.
  /// Returns `nil` for bytes that are damaged, of another version or of another key.
  package init?(_ bytes: any SharedBytes, key: [UInt8]) {
    let all = bytes.bytes
    guard key.count <= PreparedLayout.maximumKeyByteCount, let layout = PreparedLayout(all, key: key) else { return nil }
    var cursor = DwarfCursor(all, from: layout.checksumOffset)
    guard cursor.u32() == CRC32.of(all.extracting(0..<layout.checksumOffset)) else { return nil }
    owner = bytes
    self.layout = layout
  }

  /// A number of a column; that of none past the end of the bytes.
  @inline(__always) func number(_ column: Int, _ index: Int) -> UInt32 {
    let at = column + 4 * index
    guard at >= 0, at <= layout.byteCount - 4 else { return PreparedLayout.none }
    // Safe: the four bytes lie within: the layout's size is the bytes'.
    return UInt32(littleEndian: unsafe owner.bytes.unsafeLoadUnaligned(fromByteOffset: at, as: UInt32.self))
  }

  func start(_ segment: Int) -> UInt64 { layout.base &+ UInt64(number(layout.startsOffset, segment)) }

  /// `nil` where the file has to be asked.
  func answer(ofSegment segment: Int) -> PreparedUnit.Answer? {
    let answer = number(layout.segmentAnswersOffset, segment)
    guard answer != PreparedLayout.none, answer < layout.answerCount else { return nil }
    return self.answer(Int(answer))
  }

  func answer(_ index: Int) -> PreparedUnit.Answer {
    PreparedUnit.Answer(
      node: node(number(layout.answersOffset, 3 * index), below: layout.nodeCount),
      file: text(number(layout.answersOffset, 3 * index + 1)), line: number(layout.answersOffset, 3 * index + 2))
  }

  func node(_ index: Int) -> PreparedUnit.Node {
    PreparedUnit.Node(
      // Only to nodes before it, so that every chain ends.
      parent: node(number(layout.nodesOffset, 5 * index), below: index), name: text(number(layout.nodesOffset, 5 * index + 1)),
      startLine: number(layout.nodesOffset, 5 * index + 2), callFile: text(number(layout.nodesOffset, 5 * index + 3)),
      callLine: number(layout.nodesOffset, 5 * index + 4))
  }

  private func node(_ number: UInt32, below limit: Int) -> Int32 { number < limit ? Int32(clamping: number) : -1 }
  private func text(_ number: UInt32) -> Int32 { number < layout.textCount ? Int32(clamping: number) : -1 }

  /// The bytes of a text.
  @_lifetime(borrow self)
  func textBytes(_ index: Int32) -> RawSpan {
    let end = min(Int(number(layout.textEndsOffset, Int(index))), layout.textByteCount)
    let start = index == 0 ? 0 : min(Int(number(layout.textEndsOffset, Int(index) - 1)), end)
    let bytes = owner.bytes.extracting((layout.textsOffset + start)..<(layout.textsOffset + end))
    // Safe: the bytes stay where they are as long as `owner` lives, which `self` keeps.
    return unsafe _overrideLifetime(bytes, borrowing: self)
  }

  /// The last segment that starts at or before `address`, from the one where the last search ended.
  func segment(at address: UInt64, from: inout Int) -> Int? {
    guard layout.segmentCount > 0 else { return nil }
    var low = from < layout.segmentCount && start(from) <= address ? from : 0
    guard start(low) <= address else { return nil }
    var step = 1
    while low + step < layout.segmentCount, start(low + step) <= address {
      low += step
      step *= 2
    }
    var high = min(layout.segmentCount, low + step)
    while low + 1 < high {
      let middle = (low + high) / 2
      if start(middle) <= address { low = middle } else { high = middle }
    }
    from = low
    return low
  }

  /// Looks up addresses one after the other; texts become strings once.
  package struct Search {
    private let prepared: PreparedFrames
    private var from = 0
    private var strings: [Int32: String] = [:]

    /// The frames at `address`, as `DebugFrames` has them but without columns; `nil` when the file has to be asked.
    package mutating func frames(at address: UInt64) -> [DebugFrame]? {
      guard let segment = prepared.segment(at: address, from: &from), let answer = prepared.answer(ofSegment: segment) else {
        return nil
      }
      if answer.node < 0 {
        guard let file = string(answer.file) else { return [] }
        return [
          DebugFrame(function: nil, file: file, line: answer.line == 0 ? nil : answer.line, column: nil, startLine: nil, isInlined: false)
        ]
      }
      var frames: [DebugFrame] = []
      var (file, line) = (answer.file, answer.line)
      var next = answer.node
      while next >= 0 {
        let node = prepared.node(Int(next))
        frames.append(
          DebugFrame(
            function: string(node.name), file: string(file), line: line == 0 ? nil : line, column: nil,
            startLine: node.startLine == 0 ? nil : node.startLine, isInlined: node.parent >= 0))
        (file, line, next) = (node.callFile, node.callLine, node.parent)
      }
      return frames
    }

    fileprivate init(_ prepared: PreparedFrames) { self.prepared = prepared }

    private mutating func string(_ text: Int32) -> String? {
      guard text >= 0 else { return nil }
      if let known = strings[text] { return known }
      // Safe: the bytes are read only inside the closure.
      let made = unsafe prepared.textBytes(text).withUnsafeBytes { unsafe String(decoding: $0, as: UTF8.self) }
      strings[text] = made
      return made
    }
  }

  package func search() -> Search { Search(self) }
}
