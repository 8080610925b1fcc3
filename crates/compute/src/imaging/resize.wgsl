// Lanczos resize of packed 8-bit RGB, first down the columns, then along the rows, in integers.
// Twin: `cpu` in resize.rs; the coefficients come from there.

struct Settings {
    source_width: u32,
    result_width: u32,
    // Rows of the result in this band.
    rows: u32,
    // Coefficients of one position of the result.
    window: u32,
    // Bits after the point of a coefficient.
    bits: u32,
    // Invocations handled by one row of workgroups in y.
    stride: u32,
}

@group(0) @binding(0) var<uniform> settings: Settings;
// First source position and number of coefficients, for each position of the result.
@group(0) @binding(1) var<storage, read> bounds: array<vec2<u32>>;
@group(0) @binding(2) var<storage, read> coefficients: array<i32>;
@group(0) @binding(3) var<storage, read> source: array<u32>;
@group(0) @binding(4) var<storage, read_write> result: array<u32>;

// Red, green and blue of a pixel in packed bytes, which may lie across two words.
fn packed(pixel: u32) -> vec3<i32> {
    let first = pixel * 3u;
    let word = first >> 2u;
    let low = source[word];
    var high = 0u;
    if (first & 3u) > 1u {
        high = source[word + 1u];
    }
    switch first & 3u {
        case 0u: {
            return vec3<i32>(vec3<u32>(low & 255u, (low >> 8u) & 255u, (low >> 16u) & 255u));
        }
        case 1u: {
            return vec3<i32>(vec3<u32>((low >> 8u) & 255u, (low >> 16u) & 255u, low >> 24u));
        }
        case 2u: {
            return vec3<i32>(vec3<u32>((low >> 16u) & 255u, low >> 24u, high & 255u));
        }
        default: {
            return vec3<i32>(vec3<u32>(low >> 24u, high & 255u, (high >> 8u) & 255u));
        }
    }
}

fn whole(sum: vec3<i32>) -> vec3<u32> {
    let rounded = sum >> vec3<u32>(settings.bits);
    return vec3<u32>(clamp(rounded, vec3<i32>(0), vec3<i32>(255)));
}

// Packed source rows to one word a pixel: `rows` rows as wide as the source.
@compute @workgroup_size(64)
fn columns(@builtin(global_invocation_id) id: vec3<u32>) {
    let index = id.y * settings.stride + id.x;
    if id.x >= settings.stride || index >= settings.rows * settings.source_width {
        return;
    }
    let row = index / settings.source_width;
    let column = index % settings.source_width;
    let bound = bounds[row];
    var sum = vec3<i32>(1i << (settings.bits - 1u));
    for (var k = 0u; k < bound.y; k++) {
        let pixel = packed((bound.x + k) * settings.source_width + column);
        sum += coefficients[row * settings.window + k] * pixel;
    }
    let value = whole(sum);
    result[index] = value.x | (value.y << 8u) | (value.z << 16u);
}

fn along(index: u32) -> vec3<u32> {
    let row = index / settings.result_width;
    let column = index % settings.result_width;
    let bound = bounds[column];
    var sum = vec3<i32>(1i << (settings.bits - 1u));
    for (var k = 0u; k < bound.y; k++) {
        let word = source[row * settings.source_width + bound.x + k];
        let pixel = vec3<i32>(vec3<u32>(word & 255u, (word >> 8u) & 255u, (word >> 16u) & 255u));
        sum += coefficients[column * settings.window + k] * pixel;
    }
    return whole(sum);
}

// One word a pixel to packed bytes: each invocation makes four pixels, which are three words.
@compute @workgroup_size(64)
fn rows(@builtin(global_invocation_id) id: vec3<u32>) {
    let quad = id.y * settings.stride + id.x;
    let pixels = settings.rows * settings.result_width;
    if id.x >= settings.stride || quad * 4u >= pixels {
        return;
    }
    var p = array<vec3<u32>, 4>();
    for (var k = 0u; k < 4u; k++) {
        if quad * 4u + k < pixels {
            p[k] = along(quad * 4u + k);
        }
    }
    result[quad * 3u] = p[0].x | (p[0].y << 8u) | (p[0].z << 16u) | (p[1].x << 24u);
    result[quad * 3u + 1u] = p[1].y | (p[1].z << 8u) | (p[2].x << 16u) | (p[2].y << 24u);
    result[quad * 3u + 2u] = p[2].z | (p[3].x << 8u) | (p[3].y << 16u) | (p[3].z << 24u);
}
