package import Base

/// A note (System V gABI, chapter 5, "Note Section"): a name, a type number and bytes.
package enum ElfNotes {
  /// The build ID among the notes of one note section or segment; `nil` when there is none.
  ///
  /// Notes are aligned to 4 bytes; those of a segment aligned to 8 (`.note.gnu.property`) to 8.
  package static func buildID(in notes: RawSpan, alignment: UInt64) -> BuildID? {
    let alignment = alignment == 8 ? 8 : 4
    var cursor = ByteCursor(notes)
    do throws(MalformedInput) {
      // Each round takes at least 12 bytes, so it ends.
      while cursor.remaining >= 12 {
        let nameByteCount: UInt32 = try cursor.read("n_namesz")
        let descriptionByteCount: UInt32 = try cursor.read("n_descsz")
        let type: UInt32 = try cursor.read("n_type")
        let name = try cursor.take(Int(nameByteCount), "n_name")
        try align(&cursor, alignment)
        let description = try cursor.take(Int(descriptionByteCount), "n_desc")
        if type == 3, name.byteCount == 4, name.byte(at: 0) == 0x47, name.byte(at: 1) == 0x4e, name.byte(at: 2) == 0x55 {
          return description.byteCount <= BuildID.maximumByteCount ? BuildID(description.copied()) : nil
        }
        try align(&cursor, alignment)
      }
    } catch {
      // Notes cut short hold no build ID that could be trusted.
    }
    return nil
  }

  private static func align(_ cursor: inout ByteCursor, _ alignment: Int) throws(MalformedInput) {
    let over = cursor.offset % alignment
    if over != 0 { try cursor.skip(min(alignment - over, cursor.remaining), "note padding") }
  }
}
