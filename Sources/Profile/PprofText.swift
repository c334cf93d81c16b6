/// A profile as text to read and to compare: the same for equal profiles however their tables are ordered.
///
/// First what it is about, a line each, then the mappings in their order, then the samples sorted by stack, labels and
/// values. A frame is `NAME FILE:LINE IMAGE 0xADDRESS`, leaf first, with what is not known left out; ` inlined` marks
/// the lines of a location that were, ` start=` and ` system=` what the function says of itself.
package enum PprofText {
  package static func text(_ profile: Profile) -> String {
    var out = ""
    for type in profile.sampleTypes { out += "type \(profile.text(type))\n" }
    if let type = profile.periodType { out += "period \(profile.period) \(profile.text(type))\n" }
    if profile.defaultSampleType != .empty { out += "default \(profile.strings[profile.defaultSampleType])\n" }
    out += "time \(profile.timeNanoseconds)\n"
    out += "duration \(profile.durationNanoseconds)\n"
    for comment in profile.comments { out += "comment \(profile.strings[comment].escaped)\n" }
    for mapping in profile.mappings { out += profile.text(mapping) + "\n" }

    let frames = (0..<profile.locations.count).map { profile.frames(of: LocationHandle(UInt32($0))) }
    var samples: [(stack: String, head: String)] = []
    samples.reserveCapacity(profile.samples.count)
    for index in 0..<profile.samples.count {
      let stack = profile.samples.locations(index).reduce(into: "") { $0 += frames[$1.index] }
      var head = "sample"
      for value in profile.values(ofSample: index) { head += " \(value)" }
      if profile.samples.threadNames[index] != .empty {
        head += " thread=\(profile.strings[profile.samples.threadNames[index]].escaped)"
      }
      for label in profile.samples.labels(index) { head += " " + profile.text(label) }
      samples.append((stack, head))
    }
    // Swift orders strings without regard to a locale, so the order is the same everywhere.
    samples.sort { ($0.stack, $0.head) < ($1.stack, $1.head) }
    for sample in samples { out += "\n" + sample.head + "\n" + sample.stack }
    return out
  }
}

extension Profile {
  fileprivate func text(_ type: SampleType) -> String { "\(strings[type.kind])/\(strings[type.unit])" }

  fileprivate func text(_ mapping: ProfileMapping) -> String {
    var text = "mapping \(hex(mapping.start))-\(hex(mapping.limit)) @\(hex(mapping.offset))"
    if mapping.file != .empty { text += " \(strings[mapping.file].escaped)" }
    if mapping.buildID != .empty { text += " build=\(strings[mapping.buildID].escaped)" }
    if mapping.hasFunctions { text += " functions" }
    if mapping.hasFilenames { text += " filenames" }
    if mapping.hasLineNumbers { text += " lines" }
    if mapping.hasInlineFrames { text += " inlines" }
    return text
  }

  fileprivate func text(_ label: SampleLabel) -> String {
    let key = strings[label.key].escaped
    if label.text != .empty { return "\(key)=\(strings[label.text].escaped)" }
    return "\(key)=\(label.number)\(strings[label.unit].escaped)"
  }

  fileprivate func frames(of location: LocationHandle) -> String {
    var place = ""
    if let mapping = self.locations.mapping(location) {
      let file = mappings[mapping.index].file
      place += " " + (file == .empty ? "[no file]" : strings[file].escaped)
    }
    if locations.addresses[location.index] != 0 { place += " " + hex(locations.addresses[location.index]) }
    if locations.isKernel[location.index] { place += " kernel" }
    let lines = locations.lines(location)
    if lines.isEmpty { return "  [no line]\(place)\n" }
    var text = ""
    for (index, line) in zip(lines.indices, lines) {
      let function = functions[line.function.index]
      text += "  " + (function.name == .empty ? "[no name]" : strings[function.name].escaped)
      if function.file != .empty {
        text += " \(strings[function.file].escaped):\(line.line)"
      } else if line.line != 0 {
        text += " :\(line.line)"
      }
      text += place
      if index != lines.endIndex - 1 { text += " inlined" }
      if function.startLine != 0 { text += " start=\(function.startLine)" }
      if function.systemName != .empty { text += " system=\(strings[function.systemName].escaped)" }
      text += "\n"
    }
    return text
  }

  private func hex(_ number: UInt64) -> String { "0x" + String(number, radix: 16) }
}

extension String {
  /// With line ends and backslashes spelled out, so that a line stays one.
  fileprivate var escaped: String {
    guard utf8.contains(where: { $0 < 0x20 || $0 == UInt8(ascii: "\\") || $0 == 0x7f }) else { return self }
    var out = ""
    for scalar in unicodeScalars {
      switch scalar {
      case "\\": out += "\\\\"
      case "\n": out += "\\n"
      case _ where scalar.value < 0x20 || scalar.value == 0x7f: out += "\\u{" + String(scalar.value, radix: 16) + "}"
      default: out.unicodeScalars.append(scalar)
      }
    }
    return out
  }
}
