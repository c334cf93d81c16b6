import Base

/// Texts by number, so that relabelling compares and copies numbers. Number 0 is the empty text.
///
/// Texts are told apart by their bytes: two spellings of one character are equal strings to Swift and two texts to everyone else.
struct TextTable {
  private(set) var texts: [String] = []
  /// All texts, one behind the other: to compare their beginnings without a reference count for each.
  private var bytes: [UInt8] = []
  /// Where each text begins, and at last where the next one will.
  private var starts = [0]
  private var index = HashIndex(capacity: 256)

  init() { _ = number(of: "") }

  mutating func number(of text: String) -> Int32 {
    let utf8 = text.utf8
    let span = utf8.span
    var hash = IntegerHash()
    hash.combine(bytes: span)
    if let known = index.find(hash.value, where: { isEqual($0, span) }) { return Int32(truncatingIfNeeded: known) }
    let number = texts.count
    index.insert(hash.value, place: number)
    texts.append(text)
    bytes.append(contentsOf: utf8)
    starts.append(bytes.count)
    return Int32(truncatingIfNeeded: number)
  }

  private func isEqual(_ number: Int, _ span: Span<UInt8>) -> Bool {
    let start = starts[number]
    guard starts[number &+ 1] &- start == span.count else { return false }
    let all = bytes.span
    for offset in span.indices where all[start &+ offset] != span[offset] { return false }
    return true
  }

  subscript(number: Int32) -> String { texts[Int(number)] }

  /// Compares a text with what is at `place` in `prefix`, as far as both go, and moves `place` on.
  /// - Returns: `false` when they differ.
  @inline(__always)
  func agrees(_ number: Int32, with prefix: [UInt8], from place: inout Int) -> Bool {
    let start = starts[Int(number)]
    let count = min(starts[Int(number) &+ 1] &- start, prefix.count &- place)
    let all = bytes.span
    for offset in 0..<count where all[start &+ offset] != prefix[place &+ offset] { return false }
    place &+= count
    return true
  }
}

/// The labels of one target while rules work on it: the value of each name by the name's number.
struct TargetRow {
  /// Values; 0 is none.
  private var values: [Int32] = []
  /// Whether a name is in `names`.
  private var isListed: [Bool] = []
  /// Every name that has or had a value.
  private(set) var names: [Int32] = []

  subscript(name: Int32) -> Int32 {
    get { Int(name) < values.count ? values[Int(name)] : 0 }
    set {
      let index = Int(name)
      if index >= values.count {
        let more = index + 1 - values.count + values.count / 2
        values.append(contentsOf: repeatElement(0, count: more))
        isListed.append(contentsOf: repeatElement(false, count: more))
      }
      values[index] = newValue
      if !isListed[index] {
        isListed[index] = true
        names.append(name)
      }
    }
  }

  mutating func removeAll() {
    for name in names {
      values[Int(name)] = 0
      isListed[Int(name)] = false
    }
    names.removeAll(keepingCapacity: true)
  }
}
