import Base
import Glibc
import Profile
import TestSupport
import Testing
@testable import Uploader

/// The names of the files in the directory at `path`, sorted.
func names(in path: String) -> [String] {
  guard let directory = opendir(path) else { return [] }
  defer { closedir(directory) }
  var names: [String] = []
  while let entry = readdir(directory) {
    let name = withUnsafeBytes(of: entry.pointee.d_name) { String(decoding: $0.prefix { $0 != 0 }, as: UTF8.self) }
    if name != ".", name != ".." { names.append(name) }
  }
  return names.sorted()
}

private func send(to path: String, _ items: [UploadItem] = [Samples.item()]) throws -> UploadSummary {
  let destination = try Destinations.open("file://" + path)
  let plan = try UploadPlan(items, rules: destination.rules, now: 0, restamp: false)
  var queue = UploadQueue(to: destination, clock: TestClock(), seed: 1)
  return queue.run(plan)
}

@Test func `a profile and its labels are written side by side, for their owner only`() throws {
  let directory = TemporaryDirectory()
  let item = Samples.item(labels: [UploadLabel("service_name", "a/shop"), UploadLabel("k8s.pod", "p-1")])
  #expect(try send(to: directory.path + "/new/er", [item]).verdict == .complete)
  let names = names(in: directory.path + "/new/er")
  #expect(names.count == 2)
  let profile = try #require(names.first { $0.hasSuffix(".pb.gz") })
  #expect(profile.hasPrefix("a_shop-process_cpu-20270115T075820.000Z-"))
  #expect(names.contains(profile.replacing(".pb.gz", with: ".json")))
  let path = directory.path + "/new/er/" + profile
  #expect(try contents(of: path, limit: 1 << 20) == item.profile.bytes)
  let json = try JSONReader.read(contents(of: path.replacing(".pb.gz", with: ".json"), limit: 1 << 20))
  #expect(
    json
      == .object([
        .init(key: "__name__", value: .text("process_cpu")), .init(key: "k8s.pod", value: .text("p-1")),
        .init(key: "service_name", value: .text("a/shop")),
      ]))
  var status = stat()
  #expect(stat(path, &status) == 0)
  #expect(status.st_mode & 0o777 == 0o600)
}

@Test func `sending again changes nothing, other labels or content make another name`() throws {
  let directory = TemporaryDirectory()
  _ = try send(to: directory.path)
  _ = try send(to: directory.path)
  #expect(names(in: directory.path).count == 2)
  _ = try send(to: directory.path, [Samples.item(labels: [UploadLabel("service_name", "other")])])
  _ = try send(to: directory.path, [Samples.item(Samples.profile(samples: 2))])
  #expect(names(in: directory.path).count == 6)
}

@Test func `two profiles that are equal in everything are two files`() throws {
  let directory = TemporaryDirectory()
  _ = try send(to: directory.path, [Samples.item(), Samples.item()])
  #expect(names(in: directory.path).count == 4)
}

@Test func `a directory that cannot be written ends the run and says why`() throws {
  let directory = TemporaryDirectory()
  let file = try OwnedDescriptor(open: directory.path + "/file", O_WRONLY | O_CREAT)
  let summary = try send(to: directory.path + "/file", [Samples.item(), Samples.item()])
  #expect(summary.kept == 2)
  #expect(summary.verdict == .partial)
  guard case .misconfigured(let why) = summary.stop else {
    Issue.record("the run did not stop")
    return
  }
  #expect(why.contains("Not a directory"))
  _ = file.rawValue
}
