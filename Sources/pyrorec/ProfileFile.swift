import Base
import Glibc
import Profile
import Uploader

/// A pprof file of any origin, to be sent as it is.
enum ProfileFile {
  static let maximumBytes = 1 << 29

  /// Whether the file at `path` is no LZ4 frame, as every trace begins with, and so perhaps a pprof.
  static func isProfile(_ path: String) throws(SystemCallError) -> Bool {
    let start = try OwnedDescriptor(open: path, O_RDONLY).read(at: 0, count: 4, path: path)
    guard start.count == 4 else { return false }
    // A frame's magic 0x184d2204, or a skippable frame's 0x184d2a5? (LZ4 frame format, "General structure").
    let isFrame = start[1...] == [0x22, 0x4d, 0x18] && start[0] == 0x04
    let isSkippable = start[1...] == [0x2a, 0x4d, 0x18] && start[0] & 0xf0 == 0x50
    return !isFrame && !isSkippable
  }

  /// - Parameters:
  ///   - labels: in place of those of the same name. Labels come from `NAME.json` beside `NAME.pb.gz` too, as a
  ///     directory destination writes it; without a service name the file's name is the service.
  static func item(_ path: String, _ labels: [UploadLabel]) throws(UploadError) -> UploadItem {
    let bytes: [UInt8]
    do { bytes = try contents(of: path, limit: maximumBytes) } catch { throw .file(error) }
    let encoded: EncodedProfile
    do { encoded = EncodedProfile(try PprofDecoder.decode(bytes)) } catch { throw .profile(path: path, error) }
    guard !encoded.sampleTypes.isEmpty else {
      throw .profile(
        path: path,
        .malformed(MalformedInput(field: "sample_type", offset: FileOffset(0), problem: .inconsistent("is missing"))))
    }
    var all = labelsBeside(path).overridden(by: labels)
    if !all.contains(where: { $0.name == "service_name" }) { all.append(UploadLabel("service_name", stem(path))) }
    let metric = all.first { $0.name == "__name__" }?.value ?? MetricName.guess(sampleTypes: encoded.sampleTypes)
    return UploadItem(source: path, labels: all, metric: metric, profile: encoded)
  }

  /// `cpu` of `/some/where/cpu.pb.gz`.
  private static func stem(_ path: String) -> String {
    var name = path.split(separator: "/").last.map(String.init) ?? path
    for ending in [".gz", ".pb", ".pprof", ".prof"] where name.hasSuffix(ending) && name.count > ending.count {
      name.removeLast(ending.count)
    }
    return name
  }

  private static func labelsBeside(_ path: String) -> [UploadLabel] {
    guard path.hasSuffix(".pb.gz") else { return [] }
    // No such file, or one that is about something else: then there are no labels in it.
    guard let bytes = try? contents(of: path.dropLast(6) + ".json", limit: 1 << 20),
      case .object(let members) = try? JSONReader.read(bytes)
    else { return [] }
    return members.compactMap { member in member.value.text.map { UploadLabel(member.key, $0) } }
  }
}

extension [UploadLabel] {
  /// These, and `others` in place of those of the same name.
  func overridden(by others: [UploadLabel]) -> [UploadLabel] {
    let names = Set(others.map(\.name))
    return filter { !names.contains($0.name) } + others
  }
}
