// addr2line-rate FILE: reads hexadecimal addresses from standard input, finds the frames of each with names, files and lines,
// and prints the seconds from opening the file to the last frame.
use object::{Object, ObjectSection};
use std::{borrow::Cow, io::BufRead, time::Instant};

fn main() {
    let path = std::env::args().nth(1).expect("addr2line-rate FILE");
    let addresses: Vec<u64> = std::io::stdin()
        .lock()
        .lines()
        .map(|line| u64::from_str_radix(line.unwrap().trim_start_matches("0x"), 16).unwrap())
        .collect();
    let start = Instant::now();
    let map = unsafe { memmap2::Mmap::map(&std::fs::File::open(path).unwrap()).unwrap() };
    let object = object::File::parse(&*map).unwrap();
    let load = |id: gimli::SectionId| -> Result<Cow<[u8]>, gimli::Error> {
        let section = object.section_by_name(id.name());
        Ok(section.and_then(|section| section.uncompressed_data().ok()).unwrap_or(Cow::Borrowed(&[])))
    };
    let dwarf = gimli::Dwarf::load(&load).unwrap();
    let context =
        addr2line::Context::from_dwarf(dwarf.borrow(|bytes| gimli::EndianSlice::new(bytes, gimli::LittleEndian))).unwrap();
    let (mut named, mut frames, mut sum) = (0, 0, 0usize);
    for address in &addresses {
        let Ok(mut found) = context.find_frames(*address) else { continue };
        let mut has_name = false;
        while let Ok(Some(frame)) = found.next() {
            frames += 1;
            if let Some(name) = frame.function.as_ref().and_then(|function| function.raw_name().ok()) {
                has_name = true;
                sum += name.len();
            }
            if let Some(location) = frame.location {
                sum += location.line.unwrap_or(0) as usize + location.file.map_or(0, |file| file.len());
            }
        }
        named += has_name as usize;
    }
    println!(
        "{{\"n\":{},\"named\":{},\"frames\":{},\"sum\":{},\"seconds\":{:.6}}}",
        addresses.len(), named, frames, sum, start.elapsed().as_secs_f64()
    );
}
