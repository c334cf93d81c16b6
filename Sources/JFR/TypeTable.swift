/// A field of a type, as a chunk's metadata describes it.
package struct FieldType: Hashable, Sendable {
  package var name = ""
  var typeID: Int64 = 0
  /// A key into the pool of the type, instead of a value of it.
  var isPooled = false
  var isArray = false
  /// The type and value of each annotation that has one.
  var annotations: [Annotation] = []

  struct Annotation: Hashable, Sendable {
    var typeID: Int64
    var value: String
  }
}

/// A class of a chunk's metadata: an event, something that is in pools, or a part of either.
package struct RecordedType: Hashable, Sendable {
  package var id: Int64 = 0
  package var name = ""
  package var superType = ""
  package var fields: [FieldType] = []
}

/// What a chunk says of its own types. Ids are the chunk's own, so types are asked for by name.
package struct TypeTable: Sendable {
  package private(set) var types: [RecordedType] = []
  private var placeByID: [Int64: Int] = [:]
  private var placeByName: [String: Int] = [:]

  init() {}

  mutating func append(_ type: RecordedType) {
    // Of two with one id the first stands, as for anything else that is said twice.
    if placeByID[type.id] == nil { placeByID[type.id] = types.count }
    if placeByName[type.name] == nil { placeByName[type.name] = types.count }
    types.append(type)
  }

  package subscript(id id: Int64) -> RecordedType? { placeByID[id].map { types[$0] } }
  package subscript(name: String) -> RecordedType? { placeByName[name].map { types[$0] } }

  /// The unit of a length or moment of time: `TICKS`, `NANOSECONDS`, `MILLISECONDS`…; empty for any other field.
  package func timeUnit(of field: FieldType) -> String {
    for annotation in field.annotations {
      let name = self[id: annotation.typeID]?.name
      if name == "jdk.jfr.Timespan" || name == "jdk.jfr.Timestamp" { return annotation.value }
    }
    return ""
  }

  /// Whether any type's name begins with `prefix`.
  package func contains(prefix: String) -> Bool { types.contains { $0.name.hasPrefix(prefix) } }
}
