import Base
import TraceFormat

/// Code that a runtime put where other code of its own had been, so that an address meant one function first and another
/// later. Samples of the earlier one get a stack of their own, in an address space in which the earlier one is still there.
///
/// A trace whose recorded code never made way for other code takes one look at the names and nothing else.
struct ReplacedCode {
  /// What was at one address, in the order it was recorded; none of them is of the same name as the one before.
  private struct Choice {
    var time: MonotonicInstant
    var name: TraceContents.JITName
  }
  /// A frame's place in the process that means more than one function.
  private struct Place: Hashable {
    var image: UInt32
    var address: UInt64
  }
  private struct Variant: Hashable {
    var stack: StackHandle
    var picks: [Int]
  }
  private struct Layout: Hashable {
    var space: UInt32
    var places: [Place]
    var picks: [Int]
  }
  private let choices: [Place: [Choice]]
  /// By node that is at such a place as the innermost frame, or as a caller.
  private let asLeaf: [UInt32: Place]
  private let asCaller: [UInt32: Place]
  /// Of the stacks met so far.
  private var placesOfStacks: [StackHandle: [Place]] = [:]
  private var variants: [Variant: StackHandle] = [:]
  private var spaces: [Layout: AddressSpaceHandle] = [:]
  private var images: [Place: [Int: ImageHandle]] = [:]
  private var nextImage: UInt32
  private var nextSpace: UInt32

  /// Functions that are told apart at one address; the last ones.
  private static let maximumChoices = 64
  /// Stacks that are told apart: above, the last function of an address counts.
  private static let maximumVariants = 1 << 18

  /// `nil` when every recorded name may stand for the whole time.
  init?(_ contents: TraceContents) {
    var replaced: [UInt32: ReplacedRanges] = [:]
    for (image, names) in contents.jitSymbols {
      let ranges = ReplacedRanges(names)
      if !ranges.isEmpty { replaced[image] = ranges }
    }
    guard !replaced.isEmpty else { return nil }
    var asLeaf: [UInt32: Place] = [:]
    var asCaller: [UInt32: Place] = [:]
    var addresses: [UInt32: Set<UInt64>] = [:]
    let trie = contents.trie
    for node in trie.kinds.indices where trie.kinds[node] == StackNode.Space.user.rawValue {
      guard let space = contents.spaces[trie.spaces[node]] else { continue }
      let address = trie.values[node]
      for (lookUp, isLeaf) in [(address, true), (address &- 1, false)] {
        guard let image = space.mapping(at: lookUp)?.image, replaced[image]?.contains(lookUp) == true else { continue }
        let place = Place(image: image, address: lookUp)
        if isLeaf { asLeaf[UInt32(node)] = place } else { asCaller[UInt32(node)] = place }
        addresses[image, default: []].insert(lookUp)
      }
    }
    var choices: [Place: [Choice]] = [:]
    for (image, wanted) in addresses {
      Self.choices(contents.jitSymbols[image] ?? [], at: wanted.sorted()) { address, found in
        if found.count > 1 { choices[Place(image: image, address: address)] = found }
      }
    }
    guard !choices.isEmpty, let lastImage = contents.images.keys.max(), let lastSpace = contents.spaces.keys.max(),
      lastImage < 1 << 30, lastSpace < 1 << 30
    else { return nil }
    self.choices = choices
    self.asLeaf = asLeaf
    self.asCaller = asCaller
    nextImage = lastImage + 1
    nextSpace = lastSpace + 1
  }

  /// Finds what was recorded of each address, in the order it was recorded.
  private static func choices(
    _ names: [TraceContents.JITName], at addresses: [UInt64], _ body: (UInt64, [Choice]) -> Void
  ) {
    let order = names.indices.sorted { (names[$0].symbol.address, $0) < (names[$1].symbol.address, $1) }
    /// Names that begin at or before the address reached and have not ended, as they were recorded.
    var open: [Int] = []
    var next = 0
    for address in addresses {
      open.removeAll { address &- names[$0].symbol.address >= names[$0].symbol.byteCount }
      while next < order.count, names[order[next]].symbol.address <= address {
        let symbol = names[order[next]].symbol
        if address &- symbol.address < symbol.byteCount {
          open.append(order[next])
          // Of hostile names that all lie over one another the last ones count.
          if open.count > 4 * maximumChoices { open = Array(open.sorted().suffix(maximumChoices)) }
        }
        next += 1
      }
      var found: [Choice] = []
      for index in open.sorted().suffix(maximumChoices) where found.last?.name.symbol.name != names[index].symbol.name {
        found.append(Choice(time: names[index].time, name: names[index]))
      }
      body(address, found)
    }
  }

  /// Gives a sample that is counted already the stack of its time.
  mutating func place(_ sample: Sample, in contents: inout TraceContents) {
    // What is completed later or has no stack is left as it is.
    guard sample.result != UnwindResult.tablesPending.rawValue else { return }
    let places = places(of: sample.userStack, contents)
    guard !places.isEmpty else { return }
    let time = sample.timeMicroseconds.multipliedReportingOverflow(by: 1000)
    let picks = places.map { pick($0, MonotonicInstant(nanoseconds: time.overflow ? .max : time.partialValue)) }
    // What counts without a time.
    guard zip(places, picks).contains(where: { $1 != (choices[$0]?.count ?? 1) - 1 }) else { return }
    let variant = Variant(stack: sample.userStack, picks: picks)
    guard let stack = variants[variant] ?? make(variant, places, &contents) else { return }
    contents.move(sample, to: stack, result: sample.result)
  }

  /// The last one that was there at that time; the first one for a time before all of them.
  private func pick(_ place: Place, _ time: MonotonicInstant) -> Int {
    choices[place]?.lastIndex { $0.time.nanoseconds <= time.nanoseconds } ?? 0
  }

  private mutating func places(of stack: StackHandle, _ contents: TraceContents) -> [Place] {
    if let known = placesOfStacks[stack] { return known }
    var places: [Place] = []
    var node = contents.trie.leaf(of: stack) ?? 0
    var isLeaf = true
    while node != 0, places.count < Limits.stackDepth {
      if let place = isLeaf ? asLeaf[node] : asCaller[node], choices[place] != nil, !places.contains(place) { places.append(place) }
      if contents.trie.kinds[Int(node)] != StackNode.Space.root.rawValue { isLeaf = false }
      let parent = contents.trie.parents[Int(node)]
      guard parent < node else { break }
      node = parent
    }
    placesOfStacks[stack] = places
    return places
  }

  private mutating func make(_ variant: Variant, _ places: [Place], _ contents: inout TraceContents) -> StackHandle? {
    guard variants.count < Self.maximumVariants, let leaf = contents.trie.leaf(of: variant.stack) else { return nil }
    let layout = Layout(space: contents.trie.spaces[Int(leaf)], places: places, picks: variant.picks)
    let space = spaces[layout] ?? space(layout, &contents)
    guard let space, let stack = contents.trie.add(variant.stack, in: space) else { return nil }
    spaces[layout] = space
    variants[variant] = stack
    return stack
  }

  /// The address space with the picked functions at the places.
  private mutating func space(_ layout: Layout, _ contents: inout TraceContents) -> AddressSpaceHandle? {
    guard var map = contents.spaces[layout.space] else { return nil }
    for (place, pick) in zip(layout.places, layout.picks) {
      guard let image = image(place, pick, &contents) else { return nil }
      map.insert(
        AddressSpaceMap.Mapping(start: place.address, end: place.address &+ 1, fileOffset: 0, image: image.rawValue))
    }
    let handle = AddressSpaceHandle(nextSpace)
    nextSpace += 1
    contents.spaces[handle.rawValue] = map
    return handle
  }

  /// Anonymous memory in which the picked function is the only one there ever was.
  private mutating func image(_ place: Place, _ pick: Int, _ contents: inout TraceContents) -> ImageHandle? {
    if let known = images[place]?[pick] { return known }
    guard var record = contents.images[place.image], let choice = choices[place]?[pick] else { return nil }
    let handle = ImageHandle(nextImage)
    nextImage += 1
    record.handle = handle
    contents.images[handle.rawValue] = record
    contents.jitSymbols[handle.rawValue] = [choice.name]
    images[place, default: [:]][pick] = handle
    return handle
  }
}

/// Where names lie over others that are not the same.
private struct ReplacedRanges {
  private var ranges: [(start: UInt64, end: UInt64)] = []
  var isEmpty: Bool { ranges.isEmpty }

  init(_ names: [TraceContents.JITName]) {
    var numbers: [String: Int] = [:]
    var events: [(address: UInt64, name: Int, isStart: Bool)] = []
    events.reserveCapacity(2 * names.count)
    for name in names {
      let end = name.symbol.address.addingReportingOverflow(name.symbol.byteCount)
      guard !end.overflow, name.symbol.byteCount > 0 else { continue }
      let number = numbers[name.symbol.name] ?? numbers.count
      numbers[name.symbol.name] = number
      events.append((name.symbol.address, number, true))
      events.append((end.partialValue, number, false))
    }
    events.sort { $0.address < $1.address }
    var open: [Int: Int] = [:]
    var index = 0
    while index < events.count {
      let address = events[index].address
      while index < events.count, events[index].address == address {
        let name = events[index].name
        let count = (open[name] ?? 0) + (events[index].isStart ? 1 : -1)
        open[name] = count == 0 ? nil : count
        index += 1
      }
      guard open.count > 1, index < events.count else { continue }
      if let last = ranges.last, last.end == address {
        ranges[ranges.count - 1].end = events[index].address
      } else {
        ranges.append((address, events[index].address))
      }
    }
  }

  func contains(_ address: UInt64) -> Bool {
    var (low, high) = (0, ranges.count)
    while low < high {
      let middle = (low + high) / 2
      if ranges[middle].start <= address { low = middle + 1 } else { high = middle }
    }
    return low > 0 && address < ranges[low - 1].end
  }
}
