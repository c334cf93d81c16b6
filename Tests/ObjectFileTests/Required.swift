/// A fixture without the table that the test is about.
struct MissingTable: Error {}

/// What `#require` does, for calls on views that a macro cannot take apart.
func required<Value>(_ value: Value?) throws -> Value {
  guard let value else { throw MissingValue() }
  return value
}
struct MissingValue: Error {}
