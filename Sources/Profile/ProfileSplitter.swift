/// Cuts a profile into parts that a server takes, when it takes only so many bytes or samples at once.
///
/// Every sample goes into exactly one part, in order, so sums stay what they were. A part keeps only the strings,
/// functions, locations and mappings its samples use (and the first mapping, the main binary). Time, types and
/// comments are those of the whole. The same profile always gives the same parts.
package enum ProfileSplitter {
  /// - Parameters:
  ///   - maximumBytes: of a part's message before gzip. A single sample that needs more is a part of its own.
  ///   - maximumSamples: of a part; at least 1.
  package static func split(_ profile: Profile, maximumBytes: Int, maximumSamples: Int) -> [Profile] {
    precondition(maximumSamples > 0)
    if profile.samples.count <= maximumSamples, PprofFormat.message(profile).count <= maximumBytes { return [profile] }
    var part = Part(of: profile)
    var parts: [Profile] = []
    for sample in 0..<profile.samples.count {
      let full = part.sampleCount == maximumSamples || part.byteCount + part.cost(ofSample: sample) > maximumBytes
      if full, part.sampleCount > 0 {
        parts.append(part.finish())
        part.clear()
      }
      part.add(sample: sample)
    }
    if part.sampleCount > 0 { parts.append(part.finish()) }
    return parts
  }
}

/// The part being filled.
private struct Part {
  private let whole: Profile
  private var profile = Profile()
  /// The new place + 1 of each entry of the whole's tables; 0 for what is not in this part yet.
  private var strings: Places
  private var functions: Places
  private var locations: Places
  private var mappings: Places
  private var stackPath = StackPath()
  private var labels = LabelIndex()
  /// At least the bytes of the message so far.
  private(set) var byteCount = 0
  /// What a reference to a string takes at most.
  private let stringSize: Int

  init(of whole: Profile) {
    self.whole = whole
    strings = Places(whole.strings.count)
    functions = Places(whole.functions.count)
    locations = Places(whole.locations.count)
    mappings = Places(whole.mappings.count)
    stringSize = 1 + ProtobufWriter.varintSize(UInt64(whole.strings.count))
    clear()
  }

  var sampleCount: Int { profile.samples.count }

  mutating func clear() {
    profile = Profile()
    strings.clear()
    functions.clear()
    locations.clear()
    mappings.clear()
    stackPath = StackPath()
    labels = LabelIndex()
    _ = strings.add(0)
    if !whole.mappings.isEmpty { _ = add(mapping: MappingHandle(0)) }
    profile.sampleTypes = whole.sampleTypes.map { added($0) }
    profile.periodType = whole.periodType.map { added($0) }
    profile.period = whole.period
    profile.timeNanoseconds = whole.timeNanoseconds
    profile.durationNanoseconds = whole.durationNanoseconds
    for comment in whole.comments { profile.comments.append(add(string: comment)) }
    profile.defaultSampleType = add(string: whole.defaultSampleType)
    // Ten numbers of ten bytes, and what lies around them.
    byteCount = PprofFormat.message(profile).count + 128
  }

  func finish() -> Profile { profile }

  // MARK: What a sample would add, at most

  func cost(ofSample sample: Int) -> Int {
    let stack = whole.samples.locations(sample)
    // A new location's number is at most this.
    let depth = stack.reduce(0) { count, _ in count + 1 }
    let idSize = ProtobufWriter.varintSize(UInt64(profile.locations.count + depth + 1))
    var stackSize = 0
    var tables = 0
    for location in stack {
      if let known = locations[location.index] {
        stackSize += ProtobufWriter.varintSize(UInt64(known) + 1)
      } else {
        stackSize += idSize
        tables += cost(ofLocation: location, idSize: idSize)
      }
    }
    var valueSize = 0
    for value in whole.values(ofSample: sample) { valueSize += ProtobufWriter.varintSize(UInt64(bitPattern: value)) }
    var size = PprofSize.framed(stackSize) + PprofSize.framed(valueSize)
    for label in whole.samples.labels(sample) {
      size += PprofSize.framed(3 * stringSize + ProtobufWriter.fieldSize(UInt64(bitPattern: label.number)))
      tables += cost(ofString: label.key) + cost(ofString: label.text) + cost(ofString: label.unit)
    }
    return PprofSize.framed(size) + tables
  }

  private func cost(ofLocation location: LocationHandle, idSize: Int) -> Int {
    var size = 1 + idSize + ProtobufWriter.fieldSize(whole.locations.addresses[location.index])
    var tables = 0
    if let mapping = whole.locations.mapping(location) {
      size += 1 + ProtobufWriter.varintSize(UInt64(whole.mappings.count))
      if mappings[mapping.index] == nil {
        let entry = whole.mappings[mapping.index]
        // Four numbers of at most ten bytes, two strings, four flags, each with its tag.
        tables += 64 + 2 * stringSize + cost(ofString: entry.file) + cost(ofString: entry.buildID)
      }
    }
    for line in whole.locations.lines(location) {
      let functionSize = ProtobufWriter.varintSize(UInt64(whole.functions.count))
      size += PprofSize.framed(1 + functionSize + ProtobufWriter.fieldSize(UInt64(line.line)))
      if functions[line.function.index] == nil {
        let entry = whole.functions[line.function.index]
        tables += PprofSize.framed(
          1 + functionSize + 3 * stringSize + ProtobufWriter.fieldSize(UInt64(entry.startLine)))
        tables += cost(ofString: entry.name) + cost(ofString: entry.systemName) + cost(ofString: entry.file)
      }
    }
    return PprofSize.framed(size) + tables
  }

  private func cost(ofString string: StringHandle) -> Int {
    strings[string.index] == nil ? PprofSize.framed(whole.strings.byteCount(string)) : 0
  }

  // MARK: Adding

  mutating func add(sample: Int) {
    byteCount += cost(ofSample: sample)
    let locations = whole.samples.locations(sample).map { add(location: $0) }
    let stack = stackPath.add(locations.span, to: &profile.samples.stackTable)
    profile.samples.stacks.append(stack)
    profile.samples.values.append(contentsOf: whole.values(ofSample: sample))
    let list = whole.samples.labels(sample).map { label in
      SampleLabel(
        key: add(string: label.key), text: add(string: label.text), number: label.number, unit: add(string: label.unit))
    }
    let number = labels.number(of: list, in: &profile.samples)
    profile.samples.labelsOfSample.append(number)
    profile.samples.threadNames.append(add(string: whole.samples.threadNames[sample]))
  }

  private mutating func added(_ type: SampleType) -> SampleType {
    SampleType(kind: add(string: type.kind), unit: add(string: type.unit))
  }

  private mutating func add(string: StringHandle) -> StringHandle {
    let (place, isNew) = strings.add(string.index)
    if isNew { _ = profile.strings.append(whole.strings.utf8(string)) }
    return StringHandle(place)
  }

  private mutating func add(location: LocationHandle) -> LocationHandle {
    let (place, isNew) = locations.add(location.index)
    if isNew {
      let mapping = whole.locations.mapping(location).map { add(mapping: $0) + 1 } ?? 0
      let lines = whole.locations.lines(location).map { ProfileLine(function: add(function: $0.function), line: $0.line) }
      profile.locations.append(
        mappingNumber: mapping, address: whole.locations.addresses[location.index],
        isKernel: whole.locations.isKernel[location.index], lines: lines)
    }
    return LocationHandle(place)
  }

  private mutating func add(mapping: MappingHandle) -> UInt32 {
    let (place, isNew) = mappings.add(mapping.index)
    if isNew {
      var entry = whole.mappings[mapping.index]
      entry.file = add(string: entry.file)
      entry.buildID = add(string: entry.buildID)
      profile.mappings.append(entry)
    }
    return place
  }

  private mutating func add(function: FunctionHandle) -> FunctionHandle {
    let (place, isNew) = functions.add(function.index)
    if isNew {
      var entry = whole.functions[function.index]
      entry.name = add(string: entry.name)
      entry.systemName = add(string: entry.systemName)
      entry.file = add(string: entry.file)
      profile.functions.append(entry)
    }
    return FunctionHandle(place)
  }
}

/// Where entries of one table of the whole went in the part; cleared in the time of what was entered.
private struct Places {
  private var numbers: [UInt32]
  private var entered: [Int] = []

  init(_ count: Int) { numbers = [UInt32](repeating: 0, count: count) }

  subscript(index: Int) -> UInt32? { numbers[index] == 0 ? nil : numbers[index] - 1 }

  mutating func add(_ index: Int) -> (place: UInt32, isNew: Bool) {
    if numbers[index] != 0 { return (numbers[index] - 1, false) }
    entered.append(index)
    numbers[index] = UInt32(entered.count)
    return (numbers[index] - 1, true)
  }

  mutating func clear() {
    for index in entered { numbers[index] = 0 }
    entered.removeAll(keepingCapacity: true)
  }
}
