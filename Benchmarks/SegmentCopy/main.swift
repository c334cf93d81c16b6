// Reads every record of a trace into memory, writes them again through SegmentWriter, frame by frame as they were, and
// prints what each half took: seconds, seconds of CPU and bytes of records. Writing begins with decoded records, so it holds
// their encoding (columns, range coder), LZ4, checksums and the file; nothing is read meanwhile.
//
//   segment-copy FROM TO
import Base
import Glibc
import TraceFormat

/// Of this process: wall clock and CPU of user and system, in seconds.
struct Moment {
  var wall: Double
  var cpu: Double

  static var now: Moment {
    var time = timespec()
    clock_gettime(CLOCK_MONOTONIC, &time)
    var usage = rusage()
    getrusage(__rusage_who_t(RUSAGE_SELF.rawValue), &usage)
    func seconds(_ time: timeval) -> Double { Double(time.tv_sec) + Double(time.tv_usec) / 1e6 }
    return Moment(wall: Double(time.tv_sec) + Double(time.tv_nsec) / 1e9, cpu: seconds(usage.ru_utime) + seconds(usage.ru_stime))
  }
}

guard CommandLine.arguments.count == 3 else {
  print("usage: segment-copy FROM TO")
  exit(64)
}
do {
  let start = Moment.now
  let reader = try SegmentReader(path: CommandLine.arguments[1])
  var frames: [[TraceRecord]] = []
  var records = 0
  var contentBytes = 0
  let damage = try reader.forEachFrame { frame throws(TraceError) in
    frames.append(frame.records)
    records += frame.records.count
  }
  guard damage.isEmpty else {
    print("\(CommandLine.arguments[1]): damaged, so it would not be written whole")
    exit(65)
  }
  for frame in reader.frames { contentBytes += Int(frame.contentByteCount) }
  let read = Moment.now
  // Copies of symbols alone are compressed harder, as the recorder does it.
  let isSmall = reader.header.abilities.contains { $0.name == "images" && $0.value == "symbols" }
  let writer = try SegmentWriter(path: CommandLine.arguments[2], header: reader.header, compressesImagesWell: isSmall)
  for frame in frames {
    for record in frame { try writer.append(record) }
    try writer.flush()
  }
  let written = Moment.now
  try writer.close()
  let closed = Moment.now
  print(
    """
    records \(records)
    content_bytes \(contentBytes)
    read_seconds \(read.wall - start.wall)
    read_cpu_seconds \(read.cpu - start.cpu)
    write_seconds \(written.wall - read.wall)
    write_cpu_seconds \(written.cpu - read.cpu)
    close_seconds \(closed.wall - written.wall)
    """)
} catch {
  print("\(error)")
  exit(1)
}
