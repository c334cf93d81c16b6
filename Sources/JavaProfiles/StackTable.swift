import JFR

/// All distinct names, frames and stacks of a recording, whatever number of chunks they came in.
struct StackTable {
  private(set) var names: [[UInt8]] = []
  private var nameNumbers: [[UInt8]: UInt32] = [:]
  /// Name, line and whether it is the kernel's, in one number.
  private var frames = KeyTable()
  /// Frames of all stacks, leaf first, one stack after the other.
  private(set) var stackFrames: [UInt32] = []
  private var stackEnds: [Int] = []
  private var stackNumbers: [Int: [UInt32]] = [:]

  /// Distinct stacks that are told apart; those above it become one.
  static let maximumStacks = 4 << 20

  var stackCount: Int { stackEnds.count }
  var frameCount: Int { frames.count }

  mutating func name(_ text: [UInt8]) -> UInt32 {
    if let known = nameNumbers[text] { return known }
    let number = UInt32(truncatingIfNeeded: names.count)
    names.append(text)
    nameNumbers[text] = number
    return number
  }

  mutating func frame(name: UInt32, line: Int64, isKernel: Bool) -> UInt32 {
    let shown = line > 0 && line < 0x4000_0000 ? line : 0
    let key = Int64(name) << 32 | shown << 1 | (isKernel ? 1 : 0)
    return UInt32(truncatingIfNeeded: frames.insert(key).number)
  }

  func parts(ofFrame frame: UInt32) -> (name: Int, line: UInt32, isKernel: Bool) {
    let key = frames.keys[Int(frame)]
    return (Int(key >> 32), UInt32(truncatingIfNeeded: key & 0xffff_ffff) >> 1, key & 1 == 1)
  }

  func frames(ofStack stack: Int) -> ArraySlice<UInt32> {
    stackFrames[(stack == 0 ? 0 : stackEnds[stack - 1])..<stackEnds[stack]]
  }

  /// - Parameters:
  ///   - frames: leaf first.
  mutating func stack(_ wanted: [UInt32]) -> UInt32 {
    let hash = wanted.hashValue
    for known in stackNumbers[hash] ?? [] where frames(ofStack: Int(known)).elementsEqual(wanted) { return known }
    if stackEnds.count >= Self.maximumStacks, wanted.count != 1 {
      return stack([frame(name: name(Array("[too many stacks]".utf8)), line: 0, isKernel: false)])
    }
    let number = UInt32(truncatingIfNeeded: stackEnds.count)
    stackFrames.append(contentsOf: wanted)
    stackEnds.append(stackFrames.count)
    stackNumbers[hash, default: []].append(number)
    return number
  }
}

/// Counts and sums by stack and labels.
struct SampleSet {
  /// The stack's number, then the labels'.
  private(set) var keys: KeyTable
  private(set) var counts: [Int64] = []
  private(set) var values: [Int64] = []

  init() { keys = KeyTable() }

  @inline(__always)
  mutating func add(stack: UInt32, labels: UInt32, count: Int64, value: Int64) {
    let (number, isNew) = keys.insert(Int64(bitPattern: UInt64(stack) << 32 | UInt64(labels)))
    if isNew {
      counts.append(count)
      values.append(value)
    } else {
      counts[number] = Self.sum(counts[number], count)
      values[number] = Self.sum(values[number], value)
    }
  }

  var count: Int { counts.count }

  func entry(_ number: Int) -> (stack: UInt32, labels: UInt32, count: Int64, value: Int64) {
    let key = UInt64(bitPattern: keys.keys[number])
    return (UInt32(key >> 32), UInt32(truncatingIfNeeded: key), counts[number], values[number])
  }

  /// At most the largest number; numbers here are never negative.
  @inline(__always)
  static func sum(_ left: Int64, _ right: Int64) -> Int64 {
    let (sum, overflow) = left.addingReportingOverflow(right)
    return overflow ? .max : sum
  }

  static func product(_ left: Int64, _ right: Int64) -> Int64 {
    let (product, overflow) = left.multipliedReportingOverflow(by: right)
    return overflow ? .max : product
  }
}
