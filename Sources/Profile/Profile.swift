/// What a column of values counts, and in which unit: `cpu` in `nanoseconds`.
package struct SampleType: Hashable, Sendable {
  package var kind: StringHandle
  package var unit: StringHandle
  package init(kind: StringHandle, unit: StringHandle) {
    self.kind = kind
    self.unit = unit
  }
}

/// A function as it is shown; equal in all four fields means the same function.
package struct ProfileFunction: Hashable, Sendable {
  /// The name to show, demangled if that was asked for. Never empty in a profile of our own.
  package var name: StringHandle
  /// The linkage name, where it differs from `name`.
  package var systemName: StringHandle
  package var file: StringHandle
  /// The line the function starts at, counted from 1; 0 when not known.
  package var startLine: UInt32
  package init(
    name: StringHandle, systemName: StringHandle = .empty, file: StringHandle = .empty, startLine: UInt32 = 0
  ) {
    self.name = name
    self.systemName = systemName
    self.file = file
    self.startLine = startLine
  }
}

/// A binary, and the part of it that was mapped. Addresses are those of its locations.
package struct ProfileMapping: Hashable, Sendable {
  package var start: UInt64
  /// One past the last address.
  package var limit: UInt64
  /// Bytes from the first byte of the file.
  package var offset: UInt64
  package var file: StringHandle
  /// Lower case hexadecimal; empty when not known.
  package var buildID: StringHandle
  /// Every location of it has a function. `ProfileBuilder.finish` sets these four from what is there.
  package var hasFunctions = false
  package var hasFilenames = false
  package var hasLineNumbers = false
  package var hasInlineFrames = false
  package init(
    start: UInt64, limit: UInt64, offset: UInt64, file: StringHandle, buildID: StringHandle = .empty
  ) {
    self.start = start
    self.limit = limit
    self.offset = offset
    self.file = file
    self.buildID = buildID
  }
}

/// One source line of a location.
package struct ProfileLine: Hashable, Sendable {
  package var function: FunctionHandle
  /// Counted from 1; 0 when not known.
  package var line: UInt32
  package init(function: FunctionHandle, line: UInt32 = 0) {
    self.function = function
    self.line = line
  }
}

/// What is said about one sample beside its stack: a text, or a number with a unit.
package struct SampleLabel: Hashable, Sendable {
  package var key: StringHandle
  /// Empty for a number.
  package var text: StringHandle
  package var number: Int64
  package var unit: StringHandle
  package init(key: StringHandle, text: StringHandle) {
    self.init(key: key, text: text, number: 0, unit: .empty)
  }
  package init(key: StringHandle, number: Int64, unit: StringHandle = .empty) {
    self.init(key: key, text: .empty, number: number, unit: unit)
  }
  init(key: StringHandle, text: StringHandle, number: Int64, unit: StringHandle) {
    self.key = key
    self.text = text
    self.number = number
    self.unit = unit
  }
}

/// Weighted stacks with names, whatever they are written as later: the model behind pprof and collapsed text.
///
/// Flat arrays and integer handles throughout. `ProfileBuilder`, `PprofDecoder` and `ProfileSplitter` make one; a
/// handle in it always names something that is there.
package struct Profile: Hashable, Sendable {
  package internal(set) var strings = StringTable()
  package internal(set) var functions: [ProfileFunction] = []
  /// The first one is taken for the main binary by some readers.
  package internal(set) var mappings: [ProfileMapping] = []
  package internal(set) var locations = LocationTable()
  package internal(set) var samples = SampleTable()

  /// What each value of a sample is; never empty in a profile of our own.
  package internal(set) var sampleTypes: [SampleType] = []
  /// What `period` counts; `nil` when there is none, as for off-CPU time.
  package internal(set) var periodType: SampleType?
  package internal(set) var period: Int64 = 0
  /// Nanoseconds since 1970 of the start; 0 when not known.
  package internal(set) var timeNanoseconds: Int64 = 0
  package internal(set) var durationNanoseconds: Int64 = 0
  package internal(set) var comments: [StringHandle] = []
  /// The type a reader shows first; empty leaves it to the reader.
  package internal(set) var defaultSampleType = StringHandle.empty

  init() {}
}

/// Code addresses with the source lines they stand for.
package struct LocationTable: Hashable, Sendable {
  /// A mapping's place + 1; 0 for none.
  var mappingNumbers: [UInt32] = []
  package internal(set) var addresses: [UInt64] = []
  /// Whether it is code of the kernel. pprof has no place for it.
  package internal(set) var isKernel: [Bool] = []
  var lines: [ProfileLine] = []
  /// Where each location's lines end in `lines`.
  var lineEnds: [Int] = []

  package var count: Int { addresses.count }

  package func mapping(_ location: LocationHandle) -> MappingHandle? {
    let number = mappingNumbers[location.index]
    return number == 0 ? nil : MappingHandle(number - 1)
  }

  func lineRange(_ index: Int) -> Range<Int> { (index == 0 ? 0 : lineEnds[index - 1])..<lineEnds[index] }

  /// Innermost first: all but the last one were inlined. Empty only in profiles of others.
  package func lines(_ location: LocationHandle) -> ArraySlice<ProfileLine> { lines[lineRange(location.index)] }

  mutating func append(
    mappingNumber: UInt32, address: UInt64, isKernel kernel: Bool, lines new: some Collection<ProfileLine>
  ) {
    mappingNumbers.append(mappingNumber)
    addresses.append(address)
    isKernel.append(kernel)
    lines.append(contentsOf: new)
    lineEnds.append(lines.count)
  }

  mutating func append(mappingNumber: UInt32, address: UInt64, isKernel kernel: Bool, line: ProfileLine) {
    mappingNumbers.append(mappingNumber)
    addresses.append(address)
    isKernel.append(kernel)
    lines.append(line)
    lineEnds.append(lines.count)
  }
}

extension Profile {
  /// The values of sample `index`, one a sample type.
  package func values(ofSample index: Int) -> ArraySlice<Int64> {
    samples.values[index * sampleTypes.count..<(index + 1) * sampleTypes.count]
  }

  /// The sum of one column over all samples; `nil` when it does not fit.
  package func total(ofType type: Int) -> Int64? {
    var sum: Int64 = 0
    for sample in 0..<samples.count {
      let (next, overflow) = sum.addingReportingOverflow(samples.values[sample * sampleTypes.count + type])
      if overflow { return nil }
      sum = next
    }
    return sum
  }
}
