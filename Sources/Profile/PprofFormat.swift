/// pprof's profile.proto in gzip, as `go tool pprof` and Pyroscope read it.
///
/// Tables are written in the order the profile has them and ids count from 1, so equal profiles give equal bytes.
package enum PprofFormat: ProfileFormat {
  package static let name = "pprof"
  package static let groupsByThreadName = false

  package static func encode<Failure: Error>(
    _ profile: Profile, _ options: FormatOptions, to output: ([UInt8]) throws(Failure) -> Void
  ) throws(Failure) {
    try output(Gzip.compress(message(profile)))
  }

  package static func encode(_ profile: Profile) -> [UInt8] { Gzip.compress(message(profile)) }

  /// The protobuf message without the gzip around it.
  package static func message(_ profile: Profile) -> [UInt8] {
    let sizes = SampleSizes(profile)
    var writer = ProtobufWriter(capacity: PprofSize.estimate(profile) + sizes.estimate(profile))
    for type in profile.sampleTypes { writer.valueType(PprofField.Profile.sampleType, type) }
    writer.samples(profile, sizes)
    writer.mappings(profile)
    writer.locations(profile)
    writer.functions(profile)
    writer.strings(profile)
    writer.integer(PprofField.Profile.timeNanos, profile.timeNanoseconds)
    writer.integer(PprofField.Profile.durationNanos, profile.durationNanoseconds)
    if let type = profile.periodType { writer.valueType(PprofField.Profile.periodType, type) }
    writer.integer(PprofField.Profile.period, profile.period)
    if !profile.comments.isEmpty {
      let size = profile.comments.reduce(0) { $0 + ProtobufWriter.varintSize(UInt64($1.rawValue)) }
      writer.delimited(PprofField.Profile.comment, length: size)
      for comment in profile.comments { writer.varint(UInt64(comment.rawValue)) }
    }
    writer.integer(PprofField.Profile.defaultSampleType, UInt64(profile.defaultSampleType.rawValue))
    return writer.bytes
  }
}

/// Bytes that parts of a profile take in the message, without the tag and length of the part itself.
enum PprofSize {
  /// About what the message will take; a little more than less.
  static func estimate(_ profile: Profile) -> Int {
    profile.strings.bytes.count + profile.strings.count * 3 + profile.functions.count * 16
      + profile.locations.count * 16 + profile.locations.lines.count * 8 + profile.mappings.count * 64 + 4096
  }

  /// The bytes with the tag (field numbers below 16) and length that go before them.
  @inline(__always)
  static func framed(_ length: Int) -> Int { 1 + ProtobufWriter.varintSize(UInt64(length)) + length }

  @inline(__always)
  static func line(_ line: ProfileLine) -> Int {
    1 + ProtobufWriter.varintSize(UInt64(line.function.rawValue) + 1) + ProtobufWriter.fieldSize(UInt64(line.line))
  }

  static func label(_ label: SampleLabel) -> Int {
    ProtobufWriter.fieldSize(UInt64(label.key.rawValue)) + ProtobufWriter.fieldSize(UInt64(label.text.rawValue))
      + ProtobufWriter.fieldSize(UInt64(bitPattern: label.number))
      + ProtobufWriter.fieldSize(UInt64(label.unit.rawValue))
  }
}

/// Bytes that the parts of samples take.
private struct SampleSizes {
  /// By node of the tree of stacks.
  let stacks: [UInt32]

  init(_ profile: Profile) {
    stacks = profile.samples.stackTable.sums { UInt32(ProtobufWriter.varintSize(UInt64($0.rawValue) + 1)) }
  }

  /// About what all samples take; a little more than less.
  func estimate(_ profile: Profile) -> Int {
    let samples = profile.samples
    var size = samples.values.count * 8 + samples.count * 8
    for index in 0..<samples.count {
      size += Int(stacks[samples.stacks[index].index]) + samples.labelRange(samples.labelsOfSample[index]).count * 12
    }
    return size
  }
}

extension ProtobufWriter {
  fileprivate mutating func valueType(_ field: UInt64, _ type: SampleType) {
    message(field) {
      $0.integer(PprofField.ValueType.type, UInt64(type.kind.rawValue))
      $0.integer(PprofField.ValueType.unit, UInt64(type.unit.rawValue))
    }
  }

  fileprivate mutating func samples(_ profile: Profile, _ sizes: SampleSizes) {
    let samples = profile.samples
    let nodes = samples.stackTable.nodes.span
    let values = samples.values.span
    let width = profile.sampleTypes.count
    let lists = (0..<samples.labelEnds.count).map { Self.labels(profile, SampleLabels(UInt32($0))) }
    // By node: where its stack was first written, + 1, so that it is copied from there.
    var written = [UInt32](repeating: 0, count: nodes.count)
    for index in 0..<samples.count {
      let stackSize = Int(sizes.stacks[samples.stacks[index].index])
      var valueSize = 0
      for place in index * width..<(index + 1) * width { valueSize += Self.varintSize(UInt64(bitPattern: values[place])) }
      let labels = lists[samples.labelsOfSample[index].index]
      delimited(
        PprofField.Profile.sample,
        length: (stackSize == 0 ? 0 : PprofSize.framed(stackSize)) + PprofSize.framed(valueSize) + labels.count)
      if stackSize != 0 {
        delimited(PprofField.Sample.locationID, length: stackSize)
        var stack = samples.stacks[index].index
        while stack != 0, written[stack] == 0 {
          written[stack] = UInt32(exactly: count + 1) ?? 0
          varint(UInt64(nodes[stack].location.rawValue) + 1)
          stack = nodes[stack].caller.index
        }
        if stack != 0 { again(from: Int(written[stack]) - 1, count: Int(sizes.stacks[stack])) }
      }
      delimited(PprofField.Sample.value, length: valueSize)
      for place in index * width..<(index + 1) * width { varint(UInt64(bitPattern: values[place])) }
      append(labels)
    }
  }

  /// A list of labels as it stands in each sample that has it.
  private static func labels(_ profile: Profile, _ list: SampleLabels) -> [UInt8] {
    var writer = ProtobufWriter()
    for label in profile.samples.labels[profile.samples.labelRange(list)] {
      writer.delimited(PprofField.Sample.label, length: PprofSize.label(label))
      writer.integer(PprofField.Label.key, UInt64(label.key.rawValue))
      writer.integer(PprofField.Label.text, UInt64(label.text.rawValue))
      writer.integer(PprofField.Label.number, label.number)
      writer.integer(PprofField.Label.unit, UInt64(label.unit.rawValue))
    }
    return writer.bytes
  }

  fileprivate mutating func mappings(_ profile: Profile) {
    if profile.mappings.isEmpty, profile.locations.count > 0 {
      // Without any, `go tool pprof` makes one up, looks for its binary and complains that there is none.
      message(PprofField.Profile.mapping) {
        $0.integer(PprofField.Mapping.id, UInt64(1))
        $0.flag(PprofField.Mapping.hasFunctions, true)
      }
    }
    for (index, mapping) in profile.mappings.enumerated() {
      message(PprofField.Profile.mapping) {
        $0.integer(PprofField.Mapping.id, UInt64(index + 1))
        $0.integer(PprofField.Mapping.start, mapping.start)
        $0.integer(PprofField.Mapping.limit, mapping.limit)
        $0.integer(PprofField.Mapping.offset, mapping.offset)
        $0.integer(PprofField.Mapping.file, UInt64(mapping.file.rawValue))
        $0.integer(PprofField.Mapping.buildID, UInt64(mapping.buildID.rawValue))
        $0.flag(PprofField.Mapping.hasFunctions, mapping.hasFunctions)
        $0.flag(PprofField.Mapping.hasFilenames, mapping.hasFilenames)
        $0.flag(PprofField.Mapping.hasLineNumbers, mapping.hasLineNumbers)
        $0.flag(PprofField.Mapping.hasInlineFrames, mapping.hasInlineFrames)
      }
    }
  }

  fileprivate mutating func locations(_ profile: Profile) {
    let table = profile.locations
    let lines = table.lines.span
    var start = 0
    for index in 0..<table.count {
      let end = table.lineEnds[index]
      let mapping = UInt64(table.mappingNumbers[index])
      let address = table.addresses[index]
      var size = 1 + Self.varintSize(UInt64(index) + 1) + Self.fieldSize(mapping) + Self.fieldSize(address)
      for place in start..<end { size += PprofSize.framed(PprofSize.line(lines[place])) }
      delimited(PprofField.Profile.location, length: size)
      integer(PprofField.Location.id, UInt64(index) + 1)
      integer(PprofField.Location.mapping, mapping)
      integer(PprofField.Location.address, address)
      for place in start..<end {
        let line = lines[place]
        delimited(PprofField.Location.line, length: PprofSize.line(line))
        integer(PprofField.Line.function, UInt64(line.function.rawValue) + 1)
        integer(PprofField.Line.line, UInt64(line.line))
      }
      start = end
    }
  }

  fileprivate mutating func functions(_ profile: Profile) {
    for (index, function) in profile.functions.enumerated() {
      let name = UInt64(function.name.rawValue)
      let system = UInt64(function.systemName.rawValue)
      let file = UInt64(function.file.rawValue)
      let line = UInt64(function.startLine)
      let size =
        1 + Self.varintSize(UInt64(index) + 1) + Self.fieldSize(name) + Self.fieldSize(system) + Self.fieldSize(file)
        + Self.fieldSize(line)
      delimited(PprofField.Profile.function, length: size)
      integer(PprofField.Function.id, UInt64(index) + 1)
      integer(PprofField.Function.name, name)
      integer(PprofField.Function.systemName, system)
      integer(PprofField.Function.file, file)
      integer(PprofField.Function.startLine, line)
    }
  }

  fileprivate mutating func strings(_ profile: Profile) {
    for index in 0..<profile.strings.count {
      bytes(PprofField.Profile.string, profile.strings.utf8(StringHandle(UInt32(index))))
    }
  }
}
