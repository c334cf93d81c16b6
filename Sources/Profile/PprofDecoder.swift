import Base

/// Reads pprof files of anyone, in gzip or plain.
///
/// Everything is checked: a reference to something that is not there is an error, text that is not UTF-8 is repaired,
/// and fields this program has no place for (columns, `is_folded`, drop and keep expressions) are left out.
package enum PprofDecoder {
  /// Bytes of one message.
  package static let maximumMessageBytes = 1 << 29
  /// Frames of one sample, labels of one sample, lines of one location.
  package static let maximumFrames = 1 << 16
  package static let maximumLabels = 1024
  package static let maximumLines = 1024
  package static let maximumSampleTypes = 64
  /// Entries of any one table.
  package static let maximumEntries = 1 << 26

  package static func decode(_ bytes: [UInt8]) throws(ProfileError) -> Profile {
    if Gzip.isGzip(bytes) { return try decodeMessage(try Gzip.decompress(bytes, limit: maximumMessageBytes)) }
    guard bytes.count <= maximumMessageBytes else { throw .overLimit(what: "bytes", limit: maximumMessageBytes) }
    return try decodeMessage(bytes)
  }

  static func decodeMessage(_ bytes: [UInt8]) throws(ProfileError) -> Profile {
    do {
      var raw = RawPprof()
      // Safe: bytes have no padding between them.
      try raw.read(unsafe bytes.span.bytes)
      return try raw.resolved()
    } catch { throw .malformed(error) }
  }
}

/// A message as it is written: ids and string numbers not looked up yet, because tables may come in any order.
private struct RawPprof {
  struct Mapping {
    var id: UInt64 = 0
    var start: UInt64 = 0
    var limit: UInt64 = 0
    var offset: UInt64 = 0
    var file: UInt64 = 0
    var buildID: UInt64 = 0
    var hasFunctions = false
    var hasFilenames = false
    var hasLineNumbers = false
    var hasInlineFrames = false
  }
  struct Function {
    var id: UInt64 = 0
    var name: UInt64 = 0
    var systemName: UInt64 = 0
    var file: UInt64 = 0
    var startLine: Int64 = 0
  }
  struct Location {
    var id: UInt64 = 0
    var mapping: UInt64 = 0
    var address: UInt64 = 0
    var lineEnd = 0
  }
  struct Label {
    var key: UInt64 = 0
    var text: UInt64 = 0
    var number: Int64 = 0
    var unit: UInt64 = 0
  }

  var strings = StringTable()
  var stringCount = 0
  var sampleTypes: [(kind: UInt64, unit: UInt64)] = []
  var mappings: [Mapping] = []
  var functions: [Function] = []
  var locations: [Location] = []
  var lines: [(function: UInt64, line: Int64)] = []
  var stacks: [UInt64] = []
  var stackEnds: [Int] = []
  var values: [Int64] = []
  var labels: [Label] = []
  var labelEnds: [Int] = []
  var comments: [UInt64] = []
  var periodType: (kind: UInt64, unit: UInt64)?
  var period: Int64 = 0
  var time: Int64 = 0
  var duration: Int64 = 0
  var defaultSampleType: UInt64 = 0
  var valueCount: Int?

  // MARK: Reading

  mutating func read(_ bytes: RawSpan) throws(MalformedInput) {
    var reader = ProtobufReader(bytes)
    var numbers: [UInt64] = []
    while let tag = try reader.next() {
      switch tag.number {
      case PprofField.Profile.sampleType:
        var nested = try reader.message(tag, "sample_type")
        sampleTypes.append(try Self.valueType(&nested))
        try limit(sampleTypes.count, PprofDecoder.maximumSampleTypes, "sample_type", reader.offset)
      case PprofField.Profile.sample:
        var nested = try reader.message(tag, "sample")
        try sample(&nested, &numbers)
        try limit(stackEnds.count, PprofDecoder.maximumEntries, "sample", reader.offset)
      case PprofField.Profile.mapping:
        var nested = try reader.message(tag, "mapping")
        mappings.append(try Self.mapping(&nested))
        try limit(mappings.count, PprofDecoder.maximumEntries, "mapping", reader.offset)
      case PprofField.Profile.location:
        var nested = try reader.message(tag, "location")
        try location(&nested)
        try limit(locations.count, PprofDecoder.maximumEntries, "location", reader.offset)
      case PprofField.Profile.function:
        var nested = try reader.message(tag, "function")
        functions.append(try Self.function(&nested))
        try limit(functions.count, PprofDecoder.maximumEntries, "function", reader.offset)
      case PprofField.Profile.string:
        let text = try reader.delimited(tag, "string_table")
        if stringCount == 0 {
          guard text.byteCount == 0 else {
            throw inconsistent("string_table", "starts with a string that is not empty", reader.offset)
          }
        } else if (try? UTF8Span(validating: Span(_bytes: text))) != nil {
          _ = strings.append(Span(_bytes: text))
        } else {
          _ = strings.append(text.text())
        }
        stringCount += 1
        try limit(stringCount, PprofDecoder.maximumEntries, "string_table", reader.offset)
      case PprofField.Profile.timeNanos: time = try reader.signed(tag, "time_nanos")
      case PprofField.Profile.durationNanos: duration = try reader.signed(tag, "duration_nanos")
      case PprofField.Profile.periodType:
        var nested = try reader.message(tag, "period_type")
        periodType = try Self.valueType(&nested)
      case PprofField.Profile.period: period = try reader.signed(tag, "period")
      case PprofField.Profile.comment:
        try reader.integers(tag, "comment", appendingTo: &comments, limit: PprofDecoder.maximumLabels)
      case PprofField.Profile.defaultSampleType:
        defaultSampleType = try reader.integer(tag, "default_sample_type")
      default: try reader.skip(tag)
      }
    }
  }

  private static func valueType(_ reader: inout ProtobufReader) throws(MalformedInput) -> (kind: UInt64, unit: UInt64) {
    var type: (kind: UInt64, unit: UInt64) = (0, 0)
    while let tag = try reader.next() {
      switch tag.number {
      case PprofField.ValueType.type: type.kind = try reader.integer(tag, "type")
      case PprofField.ValueType.unit: type.unit = try reader.integer(tag, "unit")
      default: try reader.skip(tag)
      }
    }
    return type
  }

  private mutating func sample(
    _ reader: inout ProtobufReader, _ numbers: inout [UInt64]
  ) throws(MalformedInput) {
    let stackStart = stacks.count
    let labelStart = labels.count
    numbers.removeAll(keepingCapacity: true)
    while let tag = try reader.next() {
      switch tag.number {
      case PprofField.Sample.locationID:
        try reader.integers(tag, "location_id", appendingTo: &stacks, limit: stackStart + PprofDecoder.maximumFrames)
      case PprofField.Sample.value:
        try reader.integers(tag, "value", appendingTo: &numbers, limit: PprofDecoder.maximumSampleTypes)
      case PprofField.Sample.label:
        var nested = try reader.message(tag, "label")
        labels.append(try Self.label(&nested))
        try limit(labels.count - labelStart, PprofDecoder.maximumLabels, "label", reader.offset)
      default: try reader.skip(tag)
      }
    }
    if valueCount == nil { valueCount = numbers.count }
    guard numbers.count == valueCount else {
      throw inconsistent("value", "has \(numbers.count) numbers where another sample has \(valueCount ?? 0)", reader.offset)
    }
    for number in numbers { values.append(Int64(bitPattern: number)) }
    stackEnds.append(stacks.count)
    labelEnds.append(labels.count)
  }

  private static func label(_ reader: inout ProtobufReader) throws(MalformedInput) -> Label {
    var label = Label()
    while let tag = try reader.next() {
      switch tag.number {
      case PprofField.Label.key: label.key = try reader.integer(tag, "key")
      case PprofField.Label.text: label.text = try reader.integer(tag, "str")
      case PprofField.Label.number: label.number = try reader.signed(tag, "num")
      case PprofField.Label.unit: label.unit = try reader.integer(tag, "num_unit")
      default: try reader.skip(tag)
      }
    }
    return label
  }

  private static func mapping(_ reader: inout ProtobufReader) throws(MalformedInput) -> Mapping {
    var mapping = Mapping()
    while let tag = try reader.next() {
      switch tag.number {
      case PprofField.Mapping.id: mapping.id = try reader.integer(tag, "mapping.id")
      case PprofField.Mapping.start: mapping.start = try reader.integer(tag, "memory_start")
      case PprofField.Mapping.limit: mapping.limit = try reader.integer(tag, "memory_limit")
      case PprofField.Mapping.offset: mapping.offset = try reader.integer(tag, "file_offset")
      case PprofField.Mapping.file: mapping.file = try reader.integer(tag, "filename")
      case PprofField.Mapping.buildID: mapping.buildID = try reader.integer(tag, "build_id")
      case PprofField.Mapping.hasFunctions: mapping.hasFunctions = try reader.integer(tag, "has_functions") != 0
      case PprofField.Mapping.hasFilenames: mapping.hasFilenames = try reader.integer(tag, "has_filenames") != 0
      case PprofField.Mapping.hasLineNumbers:
        mapping.hasLineNumbers = try reader.integer(tag, "has_line_numbers") != 0
      case PprofField.Mapping.hasInlineFrames:
        mapping.hasInlineFrames = try reader.integer(tag, "has_inline_frames") != 0
      default: try reader.skip(tag)
      }
    }
    return mapping
  }

  private mutating func location(_ reader: inout ProtobufReader) throws(MalformedInput) {
    var location = Location()
    let lineStart = lines.count
    while let tag = try reader.next() {
      switch tag.number {
      case PprofField.Location.id: location.id = try reader.integer(tag, "location.id")
      case PprofField.Location.mapping: location.mapping = try reader.integer(tag, "mapping_id")
      case PprofField.Location.address: location.address = try reader.integer(tag, "address")
      case PprofField.Location.line:
        var nested = try reader.message(tag, "line")
        var line: (function: UInt64, line: Int64) = (0, 0)
        while let tag = try nested.next() {
          switch tag.number {
          case PprofField.Line.function: line.function = try nested.integer(tag, "function_id")
          case PprofField.Line.line: line.line = try nested.signed(tag, "line.line")
          default: try nested.skip(tag)
          }
        }
        lines.append(line)
        try limit(lines.count - lineStart, PprofDecoder.maximumLines, "line", reader.offset)
      default: try reader.skip(tag)
      }
    }
    location.lineEnd = lines.count
    locations.append(location)
  }

  private static func function(_ reader: inout ProtobufReader) throws(MalformedInput) -> Function {
    var function = Function()
    while let tag = try reader.next() {
      switch tag.number {
      case PprofField.Function.id: function.id = try reader.integer(tag, "function.id")
      case PprofField.Function.name: function.name = try reader.integer(tag, "name")
      case PprofField.Function.systemName: function.systemName = try reader.integer(tag, "system_name")
      case PprofField.Function.file: function.file = try reader.integer(tag, "function.filename")
      case PprofField.Function.startLine: function.startLine = try reader.signed(tag, "start_line")
      default: try reader.skip(tag)
      }
    }
    return function
  }

  private func limit(_ count: Int, _ limit: Int, _ field: String, _ offset: Int) throws(MalformedInput) {
    guard count <= limit else {
      throw MalformedInput(
        field: field, offset: FileOffset(UInt64(offset)),
        problem: .overLimit(value: UInt64(count), limit: UInt64(limit)))
    }
  }

  // MARK: Looking up

  consuming func resolved() throws(MalformedInput) -> Profile {
    var profile = Profile()
    let mappingPlaces = try IDs(mappings.map(\.id), "mapping.id")
    let functionPlaces = try IDs(functions.map(\.id), "function.id")
    let locationPlaces = try IDs(locations.map(\.id), "location.id")

    for type in sampleTypes { profile.sampleTypes.append(try resolved(type, "sample_type")) }
    if let valueCount, valueCount != sampleTypes.count {
      throw inconsistent("value", "has \(valueCount) numbers for \(sampleTypes.count) sample types", 0)
    }
    if let periodType { profile.periodType = try resolved(periodType, "period_type") }
    for mapping in mappings {
      var new = ProfileMapping(
        start: mapping.start, limit: mapping.limit, offset: mapping.offset,
        file: try string(mapping.file, "filename"), buildID: try string(mapping.buildID, "build_id"))
      new.hasFunctions = mapping.hasFunctions
      new.hasFilenames = mapping.hasFilenames
      new.hasLineNumbers = mapping.hasLineNumbers
      new.hasInlineFrames = mapping.hasInlineFrames
      profile.mappings.append(new)
    }
    for function in functions {
      profile.functions.append(
        ProfileFunction(
          name: try string(function.name, "name"), systemName: try string(function.systemName, "system_name"),
          file: try string(function.file, "function.filename"), startLine: UInt32(clamping: function.startLine)))
    }
    profile.locations.lines.reserveCapacity(lines.count)
    for line in lines {
      let function = try functionPlaces.place(line.function, "function_id")
      profile.locations.lines.append(
        ProfileLine(function: FunctionHandle(function), line: UInt32(clamping: line.line)))
    }
    for location in locations {
      let mapping = location.mapping == 0 ? 0 : try mappingPlaces.place(location.mapping, "mapping_id") + 1
      profile.locations.mappingNumbers.append(mapping)
      profile.locations.addresses.append(location.address)
      profile.locations.isKernel.append(false)
      profile.locations.lineEnds.append(location.lineEnd)
    }
    var stackPath = StackPath()
    var labelIndex = LabelIndex()
    var stack: [LocationHandle] = []
    for sample in stackEnds.indices {
      stack.removeAll(keepingCapacity: true)
      for id in stacks[(sample == 0 ? 0 : stackEnds[sample - 1])..<stackEnds[sample]] {
        stack.append(LocationHandle(try locationPlaces.place(id, "location_id")))
      }
      let number = stackPath.add(stack.span, to: &profile.samples.stackTable)
      profile.samples.stacks.append(number)
      var list: [SampleLabel] = []
      for label in labels[(sample == 0 ? 0 : labelEnds[sample - 1])..<labelEnds[sample]] {
        list.append(
          SampleLabel(
            key: try string(label.key, "key"), text: try string(label.text, "str"), number: label.number,
            unit: try string(label.unit, "num_unit")))
      }
      let labelsNumber = labelIndex.number(of: list, in: &profile.samples)
      profile.samples.labelsOfSample.append(labelsNumber)
    }
    profile.samples.values = values
    profile.samples.threadNames = [StringHandle](repeating: .empty, count: stackEnds.count)
    for comment in comments { profile.comments.append(try string(comment, "comment")) }
    profile.defaultSampleType = try string(defaultSampleType, "default_sample_type")
    profile.period = period
    profile.timeNanoseconds = time
    profile.durationNanoseconds = duration
    profile.strings = strings
    return profile
  }

  private func resolved(
    _ type: (kind: UInt64, unit: UInt64), _ field: String
  ) throws(MalformedInput) -> SampleType {
    SampleType(kind: try string(type.kind, field), unit: try string(type.unit, field))
  }

  private func string(_ number: UInt64, _ field: String) throws(MalformedInput) -> StringHandle {
    guard number < UInt64(strings.count), let small = UInt32(exactly: number) else {
      throw inconsistent(field, "names string \(number) of \(strings.count)", 0)
    }
    return StringHandle(small)
  }
}

/// Where the entry of each id stands. Ids are usually 1, 2, 3 …, and then the place is one less.
private struct IDs {
  private let count: Int
  /// `nil` when the ids count from 1.
  private var places: [UInt64: UInt32]?

  init(_ ids: [UInt64], _ field: String) throws(MalformedInput) {
    count = ids.count
    if ids.enumerated().allSatisfy({ $0.element == UInt64($0.offset) + 1 }) { return }
    var places: [UInt64: UInt32] = [:]
    places.reserveCapacity(ids.count)
    for (place, id) in ids.enumerated() {
      guard id != 0 else { throw inconsistent(field, "is 0, which means none", 0) }
      guard places.updateValue(UInt32(place), forKey: id) == nil else {
        throw inconsistent(field, "\(id) is there twice", 0)
      }
    }
    self.places = places
  }

  func place(_ id: UInt64, _ field: String) throws(MalformedInput) -> UInt32 {
    if let places {
      if let place = places[id] { return place }
    } else if id >= 1, id <= UInt64(count) {
      return UInt32(id - 1)
    }
    throw inconsistent(field, "names \(id), which is not there", 0)
  }
}

private func inconsistent(_ field: String, _ why: String, _ offset: Int) -> MalformedInput {
  MalformedInput(field: field, offset: FileOffset(UInt64(offset)), problem: .inconsistent(why))
}
