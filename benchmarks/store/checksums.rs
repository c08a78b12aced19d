//! CRC-64/XZ, sixteen bytes in a step, and of two texts joined; and MD5.

use std::sync::OnceLock;

/// CRC-64/XZ, which OSS calls crc64ecma: the polynomial with its bits reversed.
const POLYNOMIAL: u64 = 0xC96C_5795_D787_0F42;
type Tables = [[u64; 256]; 16];

/// `tables()[n][b]` is what byte `b` does to the register when `n` more bytes follow it.
fn tables() -> &'static Tables {
    static TABLES: OnceLock<Box<Tables>> = OnceLock::new();
    TABLES.get_or_init(|| {
        let mut made = Box::new([[0; 256]; 16]);
        for byte in 0..256 {
            made[0][byte] = (0..8).fold(byte as u64, |register, _| halved(register));
        }
        for row in 1..16 {
            for byte in 0..256 {
                let before = made[row - 1][byte];
                made[row][byte] = before >> 8 ^ made[0][before as usize & 255];
            }
        }
        made
    })
}

/// The register's polynomial times x.
fn halved(register: u64) -> u64 {
    register >> 1 ^ if register & 1 == 1 { POLYNOMIAL } else { 0 }
}

/// Goes on with a register (not yet inverted) over more bytes, sixteen in a step.
fn crc_over(mut register: u64, bytes: &[u8]) -> u64 {
    let rows = tables();
    let steps = bytes.chunks_exact(16);
    let rest = steps.remainder();
    for step in steps {
        let low = register ^ u64::from_le_bytes(step[..8].try_into().unwrap());
        let high = u64::from_le_bytes(step[8..].try_into().unwrap());
        register = 0;
        for place in 0..8 {
            register ^= rows[15 - place][(low >> (8 * place)) as usize & 255];
            register ^= rows[7 - place][(high >> (8 * place)) as usize & 255];
        }
    }
    rest.iter().fold(register, |now, byte| now >> 8 ^ rows[0][(now as u8 ^ byte) as usize])
}

pub fn crc64<'a>(pieces: impl IntoIterator<Item = &'a [u8]>) -> u64 {
    !pieces.into_iter().fold(!0, crc_over)
}

/// The product of two polynomials modulo ours; the highest bit is x^0.
fn product(mut left: u64, mut right: u64) -> u64 {
    let mut sum = 0;
    while left != 0 {
        if left >> 63 == 1 {
            sum ^= right;
        }
        left <<= 1;
        right = halved(right);
    }
    sum
}

/// The CRC of one text behind another, from theirs: the first is moved up by the second's length, times x^(8 length).
pub fn joined(first: u64, second: u64, mut length: u64) -> u64 {
    let (mut shift, mut power) = (1 << 63, 1 << 55); // x^0 and x^8
    while length != 0 {
        if length & 1 == 1 {
            shift = product(shift, power);
        }
        power = product(power, power);
        length >>= 1;
    }
    product(first, shift) ^ second
}

/// MD5 (RFC 1321) as hex digits in lower case.
pub fn md5(bytes: &[u8]) -> String {
    static SINES: OnceLock<Vec<u32>> = OnceLock::new();
    let sines = SINES.get_or_init(|| (1..=64).map(|n| (f64::sin(n as f64).abs() * 2f64.powi(32)) as u32).collect());
    let mut state = [0x6745_2301u32, 0xEFCD_AB89, 0x98BA_DCFE, 0x1032_5476];
    let whole = bytes.len() / 64 * 64;
    let mut end = bytes[whole..].to_vec();
    end.push(0x80);
    end.resize((end.len() + 8).next_multiple_of(64), 0);
    let length = end.len() - 8;
    end[length..].copy_from_slice(&(bytes.len() as u64 * 8).to_le_bytes());
    for block in bytes[..whole].chunks_exact(64).chain(end.chunks_exact(64)) {
        let words: [u32; 16] = std::array::from_fn(|n| u32::from_le_bytes(block[n * 4..][..4].try_into().unwrap()));
        let added = md5_block(state, &words, sines);
        state = std::array::from_fn(|n| state[n].wrapping_add(added[n]));
    }
    state.iter().flat_map(|word| word.to_le_bytes()).map(|byte| format!("{byte:02x}")).collect()
}

#[inline(always)]
fn md5_block([mut a, mut b, mut c, mut d]: [u32; 4], words: &[u32; 16], sines: &[u32]) -> [u32; 4] {
    const TURNS: [[u32; 4]; 4] = [[7, 12, 17, 22], [5, 9, 14, 20], [4, 11, 16, 23], [6, 10, 15, 21]];
    for step in 0..64 {
        let (mixed, word) = match step / 16 {
            0 => (d ^ (b & (c ^ d)), step),
            1 => (c ^ (d & (b ^ c)), 5 * step + 1),
            2 => (b ^ c ^ d, 3 * step + 5),
            _ => (c ^ (b | !d), 7 * step),
        };
        let sum = a.wrapping_add(mixed).wrapping_add(sines[step]).wrapping_add(words[word % 16]);
        (a, d, c) = (d, c, b);
        b = b.wrapping_add(sum.rotate_left(TURNS[step / 16][step % 4]));
    }
    [a, b, c, d]
}
