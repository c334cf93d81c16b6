/// Texts by number, so that relabelling compares and copies numbers. Number 0 is the empty text.
struct TextTable {
  /// Two spellings of one character are equal strings to Swift and two texts to everyone else.
  private struct Key: Hashable {
    let text: String
    private let isPlain: Bool
    init(text: String) {
      self.text = text
      let bytes = text.utf8.span
      var all: UInt8 = 0
      for index in bytes.indices { all |= bytes[index] }
      isPlain = all < 0x80
    }
    static func == (lhs: Self, rhs: Self) -> Bool {
      // Of one length and equal, two texts without a mark beyond ASCII are the same; of others each byte is looked at.
      guard lhs.text.utf8.count == rhs.text.utf8.count, lhs.text == rhs.text else { return false }
      return lhs.isPlain && rhs.isPlain || lhs.text.utf8.elementsEqual(rhs.text.utf8)
    }
    func hash(into hasher: inout Hasher) { hasher.combine(text) }
  }

  private(set) var texts: [String] = [""]
  private var numbers = [Key(text: ""): Int32(0)]

  mutating func number(of text: String) -> Int32 {
    if let known = numbers[Key(text: text)] { return known }
    let number = Int32(truncatingIfNeeded: texts.count)
    texts.append(text)
    numbers[Key(text: text)] = number
    return number
  }

  subscript(number: Int32) -> String { texts[Int(number)] }
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
