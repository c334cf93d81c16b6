import Base

/// Reads a chunk's metadata event (type 0): strings, then a tree of elements with attributes
/// (`jdk.jfr.internal.MetadataReader`).
struct MetadataReader {
  private let integers: WireIntegers
  private var strings: [String] = []
  private var elements = 0
  private(set) var types = TypeTable()

  /// - Parameters:
  ///   - bytes: the chunk.
  ///   - offset: where its metadata event begins.
  init(_ bytes: RawSpan, at offset: Int64, _ integers: WireIntegers) throws(MalformedInput) {
    self.integers = integers
    guard let start = Int(exactly: offset), start >= ChunkHeader.byteCount, start < bytes.byteCount else {
      throw malformed("metadata offset", at: 24, "points outside the chunk")
    }
    var position = start
    guard let size = integers.count(bytes, &position), size > 0, size <= bytes.byteCount - start else {
      throw malformed("metadata size", at: start, "is more than the chunk has")
    }
    guard size <= Limits.metadataBytes else {
      throw MalformedInput(
        field: "metadata size", offset: FileOffset(UInt64(start)),
        problem: .overLimit(value: UInt64(size), limit: UInt64(Limits.metadataBytes)))
    }
    let event = bytes.extracting(0..<(start + size))
    guard integers.long(event, &position) == 0 else { throw malformed("metadata type", at: start, "is not 0") }
    // Start, duration, metadata id.
    for _ in 0..<3 where integers.long(event, &position) == nil { throw Self.ends(position) }
    try readStrings(event, &position)
    try element(event, &position, depth: 0)
  }

  private static func ends(_ position: Int) -> MalformedInput {
    malformed("metadata", at: position, "ends inside an element")
  }

  private mutating func readStrings(_ bytes: RawSpan, _ position: inout Int) throws(MalformedInput) {
    guard let count = integers.count(bytes, &position), count <= bytes.byteCount - position,
      count <= Limits.metadataStrings
    else { throw malformed("metadata strings", at: position, "are more than there is room for") }
    strings.reserveCapacity(count)
    for _ in 0..<count {
      guard case .text(let text) = WireText.read(bytes, &position, integers) else {
        throw malformed("metadata string", at: position, "is not one")
      }
      strings.append(String(decoding: text, as: UTF8.self))
    }
  }

  /// Reads one element with all that is inside it.
  /// - Returns: what it adds to its parent.
  @discardableResult
  private mutating func element(
    _ bytes: RawSpan, _ position: inout Int, depth: Int
  ) throws(MalformedInput) -> Addition {
    elements += 1
    guard depth < Limits.metadataDepth, elements <= Limits.metadataElements else {
      throw malformed("metadata", at: position, "has more elements than there is room for")
    }
    let name = try string(bytes, &position)
    var attributes: [(key: String, value: String)] = []
    guard let attributeCount = integers.count(bytes, &position), attributeCount <= bytes.byteCount - position else {
      throw Self.ends(position)
    }
    for _ in 0..<attributeCount {
      attributes.append((try string(bytes, &position), try string(bytes, &position)))
    }
    func attribute(_ key: String) -> String { attributes.first { $0.key == key }?.value ?? "" }

    guard let childCount = integers.count(bytes, &position), childCount <= bytes.byteCount - position else {
      throw Self.ends(position)
    }
    var type = RecordedType()
    var field = FieldType()
    for _ in 0..<childCount {
      switch try element(bytes, &position, depth: depth + 1) {
      case .field(let child): type.fields.append(child)
      case .annotation(let id, let value): field.annotations.append(FieldType.Annotation(typeID: id, value: value))
      case .nothing: break
      }
    }
    switch name {
    case "class":
      type.id = Int64(attribute("id")) ?? -1
      type.name = attribute("name")
      type.superType = attribute("superType")
      types.append(type)
      return .nothing
    case "field":
      field.name = attribute("name")
      field.typeID = Int64(attribute("class")) ?? -1
      field.isPooled = attribute("constantPool") == "true"
      field.isArray = !attribute("dimension").isEmpty && attribute("dimension") != "0"
      return .field(field)
    case "annotation":
      return .annotation(id: Int64(attribute("class")) ?? -1, value: attribute("value"))
    default: return .nothing
    }
  }

  private enum Addition {
    case field(FieldType)
    case annotation(id: Int64, value: String)
    case nothing
  }

  private func string(_ bytes: RawSpan, _ position: inout Int) throws(MalformedInput) -> String {
    guard let index = integers.count(bytes, &position) else { throw Self.ends(position) }
    guard index < strings.count else { throw malformed("metadata string number", at: position, "names no string") }
    return strings[index]
  }
}
