import Base

/// Makes a `Profile`: what is equal is kept once, and everything keeps the order it was first added in.
///
/// Names are hashed when they are interned; adding a sample hashes integers only. Equal samples (same stack, labels
/// and thread name) become one whose values are the sums.
package struct ProfileBuilder: Sendable {
  private var profile = Profile()
  private var stringIndex: HashIndex
  private var functionIndex: HashIndex
  /// By string: the function of which only that name is known, + 1; 0 for none.
  private var bareFunctions: [UInt32] = []
  /// By function: the first location whose innermost line is in it, + 1. Only its further ones are in `locationIndex`.
  private var firstLocations: [UInt32] = []
  private var locationIndex = HashIndex()
  private var sampleIndex: HashIndex
  private var stackPath = StackPath()
  /// By node of the tree of stacks: a hash of its stack.
  private var stackHashes: [UInt32] = [0]
  private var labelIndex = LabelIndex()

  /// - Parameters: how many to make room for; more are possible.
  package init(expectedStrings: Int = 0, expectedSamples: Int = 0) {
    stringIndex = HashIndex(capacity: expectedStrings)
    functionIndex = HashIndex()
    sampleIndex = HashIndex(capacity: expectedSamples)
    // The empty string is found like any other.
    stringIndex.insert(Self.hash([UInt8]().span), place: 0)
    profile.samples.reserve(expectedSamples)
  }

  // MARK: What it is about

  package mutating func addSampleType(_ kind: String, unit: String) {
    precondition(profile.samples.count == 0, "sample types come before samples")
    profile.sampleTypes.append(SampleType(kind: string(kind), unit: string(unit)))
  }

  package mutating func setPeriod(_ period: Int64, of kind: String, unit: String) {
    profile.periodType = SampleType(kind: string(kind), unit: string(unit))
    profile.period = period
  }

  /// - Parameters:
  ///   - startNanoseconds: since 1970.
  package mutating func setTime(startNanoseconds: Int64, durationNanoseconds: Int64) {
    profile.timeNanoseconds = startNanoseconds
    profile.durationNanoseconds = durationNanoseconds
  }

  package mutating func addComment(_ text: String) { profile.comments.append(string(text)) }

  package mutating func setDefaultSampleType(_ kind: String) { profile.defaultSampleType = string(kind) }

  // MARK: Names and places

  package mutating func string(_ text: String) -> StringHandle {
    var text = text
    return text.withUTF8 { buffer in
      // Safe: the span is used only inside the closure.
      string(utf8: unsafe Span(_unsafeElements: buffer))
    }
  }

  /// As the other, for text that is only there as bytes, which must be UTF-8.
  package mutating func string(utf8 text: Span<UInt8>) -> StringHandle {
    let hash = Self.hash(text)
    if let known = stringIndex.find(hash, where: { profile.strings.holds(text, at: $0) }) {
      return StringHandle(UInt32(known))
    }
    let handle = profile.strings.append(text)
    stringIndex.insert(hash, place: handle.index)
    return handle
  }

  /// A string that the caller knows to be unlike all others, before and after: it is not found again.
  package mutating func newString(utf8 text: Span<UInt8>) -> StringHandle { profile.strings.append(text) }

  private static func hash(_ text: Span<UInt8>) -> UInt64 {
    var hash = IntegerHash()
    hash.combine(bytes: text)
    return hash.value
  }

  package mutating func function(_ function: ProfileFunction) -> FunctionHandle {
    if function.systemName == .empty, function.file == .empty, function.startLine == 0 { return bareFunction(function.name) }
    var hash = IntegerHash()
    hash.combine(function.name.rawValue)
    hash.combine(function.systemName.rawValue)
    hash.combine(function.file.rawValue)
    hash.combine(function.startLine)
    if let known = functionIndex.find(hash.value, where: { profile.functions[$0] == function }) {
      return FunctionHandle(UInt32(known))
    }
    let handle = append(function)
    functionIndex.insert(hash.value, place: handle.index)
    return handle
  }

  private mutating func bareFunction(_ name: StringHandle) -> FunctionHandle {
    if name.index >= bareFunctions.count {
      let missing = profile.strings.count - bareFunctions.count
      bareFunctions.append(contentsOf: repeatElement(0, count: missing))
    }
    if bareFunctions[name.index] != 0 { return FunctionHandle(bareFunctions[name.index] - 1) }
    let handle = append(ProfileFunction(name: name))
    bareFunctions[name.index] = handle.rawValue + 1
    return handle
  }

  private mutating func append(_ function: ProfileFunction) -> FunctionHandle {
    profile.functions.append(function)
    firstLocations.append(0)
    return FunctionHandle(UInt32(profile.functions.count - 1))
  }

  package mutating func function(
    name: StringHandle, systemName: StringHandle = .empty, file: StringHandle = .empty, startLine: UInt32 = 0
  ) -> FunctionHandle {
    function(ProfileFunction(name: name, systemName: systemName, file: file, startLine: startLine))
  }

  /// Adds a mapping; ask for each only once, they are few and not looked for. The first one should be the main binary.
  package mutating func mapping(_ mapping: ProfileMapping) -> MappingHandle {
    profile.mappings.append(mapping)
    return MappingHandle(UInt32(profile.mappings.count - 1))
  }

  /// The location with exactly these fields.
  /// - Parameters:
  ///   - lines: innermost first, never empty: an address without a name gets one made from its image.
  package mutating func location(
    mapping: MappingHandle?, address: UInt64, lines: [ProfileLine], isKernel: Bool = false
  ) -> LocationHandle {
    precondition(!lines.isEmpty, "a location without a line is dropped by servers")
    let number = mapping.map { $0.rawValue + 1 } ?? 0
    func isSame(_ place: Int) -> Bool {
      profile.locations.addresses[place] == address && profile.locations.mappingNumbers[place] == number
        && profile.locations.isKernel[place] == isKernel
        && profile.locations.lines[profile.locations.lineRange(place)].elementsEqual(lines)
    }
    // Most functions that stand for an address alone have this one location, and need no hash.
    let first = firstLocations[lines[0].function.index]
    if first == 0 {
      profile.locations.append(mappingNumber: number, address: address, isKernel: isKernel, lines: lines)
      firstLocations[lines[0].function.index] = UInt32(profile.locations.count)
      return LocationHandle(UInt32(profile.locations.count - 1))
    }
    if isSame(Int(first) - 1) { return LocationHandle(first - 1) }
    var hash = IntegerHash()
    hash.combine(UInt64(number) << 1 | (isKernel ? 1 : 0))
    hash.combine(address)
    for line in lines { hash.combine(UInt64(line.function.rawValue) << 32 | UInt64(line.line)) }
    if let known = locationIndex.find(hash.value, where: isSame) { return LocationHandle(UInt32(known)) }
    profile.locations.append(mappingNumber: number, address: address, isKernel: isKernel, lines: lines)
    locationIndex.insert(hash.value, place: profile.locations.count - 1)
    return LocationHandle(UInt32(profile.locations.count - 1))
  }

  /// A location that the caller knows to be unlike all others.
  package mutating func newLocation(
    mapping: MappingHandle?, address: UInt64, line: ProfileLine, isKernel: Bool = false
  ) -> LocationHandle {
    let handle = LocationHandle(UInt32(profile.locations.count))
    profile.locations.append(
      mappingNumber: mapping.map { $0.rawValue + 1 } ?? 0, address: address, isKernel: isKernel, line: line)
    if firstLocations[line.function.index] == 0 { firstLocations[line.function.index] = handle.rawValue + 1 }
    return handle
  }

  // MARK: Samples

  /// Adds `values` to the sample with this stack, these labels and this thread name.
  /// - Parameters:
  ///   - locations: leaf first.
  ///   - values: one a sample type. Sums stay at the largest number that fits.
  package mutating func addSample(
    locations: [LocationHandle], values: [Int64], labels: [SampleLabel] = [], threadName: StringHandle = .empty
  ) {
    addSample(locations: locations.span, values: values.span, labels: labels, threadName: threadName)
  }

  private mutating func addSample(
    locations: Span<LocationHandle>, values: Span<Int64>, labels: [SampleLabel], threadName: StringHandle
  ) {
    let stack = stackPath.add(locations, to: &profile.samples.stackTable)
    hashStacks()
    addSample(stack: stack, values: values, labels: self.labels(labels), threadName: threadName)
  }

  /// The stack that `location` makes when called from `caller`; better asked for once only.
  package mutating func stack(_ location: LocationHandle, calledFrom caller: ProfileStack) -> ProfileStack {
    let stack = profile.samples.stackTable.add(location, calledFrom: caller)
    hashStacks()
    return stack
  }

  @inline(__always)
  private mutating func hashStacks() {
    while stackHashes.count < profile.samples.stackTable.nodes.count {
      let node = profile.samples.stackTable.nodes[stackHashes.count]
      var hash = IntegerHash()
      hash.combine(UInt64(stackHashes[node.caller.index]) << 32 | UInt64(node.location.rawValue))
      stackHashes.append(UInt32(truncatingIfNeeded: hash.value &>> 32))
    }
  }

  /// The number of this list of labels.
  package mutating func labels(_ labels: [SampleLabel]) -> SampleLabels {
    labelIndex.number(of: labels, in: &profile.samples)
  }

  /// As the others, for a stack and labels that are numbered already, in a profile of one sample type.
  package mutating func addSample(stack: ProfileStack, value: Int64, labels: SampleLabels, threadName: StringHandle) {
    let values: InlineArray<1, Int64> = [value]
    addSample(stack: stack, values: values.span, labels: labels, threadName: threadName)
  }

  private mutating func addSample(
    stack: ProfileStack, values: Span<Int64>, labels: SampleLabels, threadName: StringHandle
  ) {
    precondition(values.count == profile.sampleTypes.count, "one value a sample type")
    var hash = IntegerHash()
    hash.combine(UInt64(stackHashes[stack.index]) << 32 | UInt64(threadName.rawValue))
    hash.combine(labels.rawValue)
    let known = sampleIndex.find(hash.value) { place in
      profile.samples.labelsOfSample[place] == labels && profile.samples.threadNames[place] == threadName
        && profile.samples.stackTable.isSame(profile.samples.stacks[place], stack)
    }
    if let known {
      for index in values.indices {
        let place = known * values.count + index
        let (sum, overflow) = profile.samples.values[place].addingReportingOverflow(values[index])
        profile.samples.values[place] = overflow ? (values[index] < 0 ? .min : .max) : sum
      }
      return
    }
    profile.samples.stacks.append(stack)
    for index in values.indices { profile.samples.values.append(values[index]) }
    profile.samples.labelsOfSample.append(labels)
    profile.samples.threadNames.append(threadName)
    sampleIndex.insert(hash.value, place: profile.samples.count - 1)
  }

  /// The profile, its mappings' `has…` flags true to what is there.
  package consuming func finish() -> Profile {
    profile.setMappingFlags()
    return profile
  }
}

extension Profile {
  /// A mapping has functions when all its locations do, and file names, line numbers or inlined frames when any does.
  mutating func setMappingFlags() {
    var located = [Bool](repeating: false, count: mappings.count)
    for index in mappings.indices {
      mappings[index].hasFunctions = true
      mappings[index].hasFilenames = false
      mappings[index].hasLineNumbers = false
      mappings[index].hasInlineFrames = false
    }
    for place in 0..<locations.count {
      guard let mapping = locations.mapping(LocationHandle(UInt32(place)))?.index else { continue }
      located[mapping] = true
      let range = locations.lineRange(place)
      if range.isEmpty { mappings[mapping].hasFunctions = false }
      if range.count > 1 { mappings[mapping].hasInlineFrames = true }
      for index in range {
        let line = locations.lines[index]
        let function = functions[line.function.index]
        if function.name == .empty { mappings[mapping].hasFunctions = false }
        if function.file != .empty { mappings[mapping].hasFilenames = true }
        if line.line != 0 { mappings[mapping].hasLineNumbers = true }
      }
    }
    for index in mappings.indices where !located[index] { mappings[index].hasFunctions = false }
  }
}
