import Symbolize
import Testing

@Test(arguments: [
  ("/lib/x86_64-linux-gnu/libc.so.6", "libc6-dbg"), ("/lib64/ld-linux-x86-64.so.2", "libc6-dbg"),
  ("/lib/x86_64-linux-gnu/libm-2.31.so", "libc6-dbg"),
  ("/usr/lib/jvm/java-17-openjdk-amd64/lib/server/libjvm.so", "openjdk-17-dbg"),
  ("/usr/lib/x86_64-linux-gnu/libpython3.11.so.1.0", "python3.11-dbg"), ("/usr/bin/python3.11", "python3.11-dbg"),
])
func `a stripped library whose package is known is told by its name`(path: String, package: String) {
  #expect(MissReason.strippedNoDebugFile.advice(for: path).contains("install \(package),"))
}

@Test(arguments: ["/opt/app/server", "/usr/lib/libcurl.so.4", "/opt/libc-parser.so", ""])
func `of others the advice is the general one`(path: String) {
  #expect(MissReason.strippedNoDebugFile.advice(for: path) == MissReason.strippedNoDebugFile.advice)
}
