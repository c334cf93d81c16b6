// Usage: EmbedBPF OUTPUT.swift CLANG ARGUMENTS…
// Runs the compiler and writes the object it made as a hex string literal, which compiles in no time at any size.
import Glibc

func fail(_ message: String) -> Never {
  let line = Array("EmbedBPF: \(message)\n".utf8)
  _ = unsafe write(2, line, line.count)
  exit(1)
}

let arguments = CommandLine.arguments
guard arguments.count > 3 else { fail("usage: EmbedBPF OUTPUT.swift CLANG ARGUMENTS…") }
let output = arguments[1]
let object = output + ".bpf.o"
let command = Array(arguments[2...]) + ["-o", object]
var pointers = unsafe command.map { unsafe strdup($0) } + [nil]
var child: pid_t = 0
guard unsafe posix_spawn(&child, command[0], nil, nil, &pointers, environ) == 0 else { fail("cannot run \(command[0])") }
var status: Int32 = 0
guard unsafe waitpid(child, &status, 0) == child, status == 0 else { fail("\(command[0]) failed") }
guard let file = unsafe fopen(object, "rb") else { fail("cannot read \(object)") }
let digits = Array("0123456789abcdef".utf8)
var hex: [UInt8] = []
var count = 0
while true {
  let byte = unsafe getc(file)
  if byte == EOF { break }
  hex.append(digits[Int(byte) >> 4])
  hex.append(digits[Int(byte) & 15])
  count += 1
}
let text = """
  /// The sampler's object file for the kernel, made at build time from `bpf/sampler.bpf.c`.
  enum EmbeddedBPF {
    static let byteCount = \(count)
    static let hex: StaticString = "\(String(decoding: hex, as: UTF8.self))"
  }

  """
guard let generated = unsafe fopen(output, "w") else { fail("cannot write \(output)") }
guard unsafe fputs(text, generated) >= 0, unsafe fclose(generated) == 0 else { fail("cannot write \(output)") }
