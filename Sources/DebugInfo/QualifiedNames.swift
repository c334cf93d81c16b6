import Base

/// Finds in which namespaces, types and functions an entry stands, which the entry itself does not say.
enum QualifiedNames {
  /// Enclosing scopes that are named; more are left out.
  static let maximumDepth = 32

  /// Puts the scopes around the entry at `offset` before it in `texts`, each followed by `::`.
  /// - Parameter fuel: attributes that may be gone past; without, there are no scopes.
  static func append(
    scopesOf offset: Int, _ unit: Unit, _ table: AbbreviationTable, _ spans: borrowing SectionSpans,
    _ texts: inout TextTable, fuel: inout Int
  ) {
    for scope in scopes(of: offset, unit, table, spans, &fuel) {
      let name = unit.text(scope.name, spans)
      if name.byteCount > 0 {
        texts.append(name)
      } else if scope.tag == .namespace {
        texts.append("(anonymous namespace)")
      } else {
        continue
      }
      texts.append("::")
    }
  }

  private struct Scope {
    var tag: Tag
    var name: FormValue
  }

  private static func scopes(
    of offset: Int, _ unit: Unit, _ table: AbbreviationTable, _ spans: borrowing SectionSpans,
    _ fuel: inout Int
  ) -> [Scope] {
    let header = unit.header
    var cursor = DwarfCursor(spans.info, from: header.firstEntry, to: header.end)
    var open: [Scope] = []
    while cursor.position < offset, fuel > 0 {
      fuel -= 1
      let code = cursor.uleb()
      if code == 0 {
        if !open.isEmpty { open.removeLast() }
        continue
      }
      let index = table.index(of: code)
      guard index >= 0 else { return [] }
      let entry = table.entries[index]
      if !entry.hasChildren, entry.byteCount >= 0 {
        cursor.skip(Int(entry.byteCount))
        continue
      }
      fuel -= Int(entry.specCount)
      var scope = Scope(tag: entry.tag, name: .absent)
      var sibling = 0
      for index in Int(entry.firstSpec)..<Int(entry.firstSpec + entry.specCount) {
        let spec = table.specs[index]
        switch spec.attribute {
        case .name: scope.name = cursor.value(spec.form, constant: spec.constant, header.format)
        case .sibling:
          let value = cursor.value(spec.form, constant: spec.constant, header.format)
          if value.kind == .unitReference { sibling = Int(exactly: value.number) ?? 0 }
        default: cursor.skip(spec, header.format)
        }
      }
      guard entry.hasChildren else { continue }
      // What ends before the entry does not enclose it. Only forward, so that the search ends.
      if sibling < header.end - header.start, header.start + sibling > cursor.position, header.start + sibling <= offset {
        cursor.seek(to: header.start + sibling)
      } else {
        open.append(scope)
      }
    }
    guard cursor.position == offset else { return [] }
    return Array(
      open.filter { $0.tag == .namespace || $0.tag == .module || $0.tag == .subprogram || $0.tag.isType }.prefix(maximumDepth))
  }
}
