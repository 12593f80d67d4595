-- What the aggregator does to every record: it writes the tag into the record, where the transformer finds
-- it; it takes away what a client wrote under our own names; it spells bytes that are not UTF-8, which JSON cannot
-- carry, as \xNN; and it splits a record that Firehose could not take. A record that Lua cannot hold exactly (an
-- integer of 2^53 or more) is passed on untouched, without its tag: the data goes before the name. Unless it has our
-- names already: then they go before its digits.
--
-- Cost: in `docs/performance.md`. Most of it is Fluent Bit's handing over of a record and back; so everything about a
-- record is found in one pass over it, and strings are looked through 16 bytes at a time.

local ARRIVAL = "in." -- what the input puts before every tag
local EXACT = 9007199254740992 -- 2^53: above it, Lua's numbers skip integers
local LARGEST = 900000 -- bytes as JSON; Firehose takes 1,024,000, the rest is for the other keys
local PART = 150000 -- bytes; as JSON at most six times as many
local DEPTH = 64
local SPARSE = 65536

-- Whether a string is ASCII alone, as most are. A third of the time that `find("[\128-\255]")` takes.
local function is_ascii(text)
    local _, last = text:find("^[^\128-\255]*")
    return last == #text
end

-- The same for LuaJIT's compiler, where there is one: a thirtieth of the pattern's time for 900 bytes.
local has_ffi, ffi = pcall(require, "ffi")
if has_ffi and jit.status() then
    local cast, words, band, bor = ffi.cast, ffi.typeof("const int32_t *"), bit.band, bit.bor
    is_ascii = function(text)
        local at, whole = cast(words, text), math.floor(#text / 16) * 4
        for word = 0, whole - 1, 4 do
            if band(bor(at[word], at[word + 1], at[word + 2], at[word + 3]), 0x80808080) ~= 0 then
                return false
            end
        end
        for rest = whole * 4 + 1, #text do
            if text:byte(rest) > 127 then
                return false
            end
        end
        return true
    end
end

-- Numbers that JSON cannot hold: Fluent Bit would write them bare, and AWS's Go plugin discards their record.
local function is_odd(number)
    return number ~= number or number == math.huge or number == -math.huge
end

local odd = false -- whether `exact` has met one, or a key that is no text

-- Whether a table is a list. To Fluent Bit it is one as soon as a number is among its keys: it leaves out every other
-- key, and fills the numbers between with nulls, be they a thousand million.
local function is_list(value)
    local numbers = 0
    for key in next, value do
        if type(key) ~= "number" then
            return false
        end
        numbers = numbers + 1
    end
    -- Before 3.0 a null is handed over as nothing, which leaves a hole.
    return numbers == #value or (flb_null == nil and table.maxn(value) < SPARSE)
end

-- Whether a value comes out of Lua as it went in, but for what is odd about it.
local function exact(value, depth)
    local kind = type(value)
    if kind == "number" then
        if is_odd(value) then
            odd = true
            return true
        end
        return value < EXACT and value > -EXACT
    end
    if kind ~= "table" then
        return true
    end
    if depth == 0 then
        return false
    end
    local texts = true
    for key, inner in next, value do
        if not exact(inner, depth - 1) then
            return false
        end
        texts = texts and type(key) == "string"
    end
    odd = odd or not (texts or is_list(value))
    return true
end

-- How many bytes the UTF-8 character that starts here has; nil where none does.
local function character(bytes, at)
    local first, second = bytes:byte(at, at + 1)
    local length, least, most = nil, 0x80, 0xBF
    if first >= 0xC2 and first <= 0xDF then
        length = 2
    elseif first >= 0xE0 and first <= 0xEF then
        length = 3
        least = first == 0xE0 and 0xA0 or least -- not longer than need be
        most = first == 0xED and 0x9F or most -- no surrogates
    elseif first >= 0xF0 and first <= 0xF4 then
        length = 4
        least = first == 0xF0 and 0x90 or least
        most = first == 0xF4 and 0x8F or most -- nothing above U+10FFFF
    end
    if length == nil or second == nil or second < least or second > most then
        return nil
    end
    for following = at + 2, at + length - 1 do
        local byte = bytes:byte(following)
        if byte == nil or byte < 0x80 or byte > 0xBF then
            return nil
        end
    end
    return length
end

local function spelled(run)
    local parts, at = {}, 1
    while at <= #run do
        local length = character(run, at)
        parts[#parts + 1] = length and run:sub(at, at + length - 1) or string.format("\\x%02x", run:byte(at))
        at = at + (length or 1)
    end
    return table.concat(parts)
end

-- A run of bytes outside ASCII with those that are not UTF-8 spelled out; nil where all are.
local function spell(run)
    local at = 1
    while at <= #run do
        local length = character(run, at)
        if length == nil then
            return spelled(run)
        end
        at = at + length
    end
    return nil
end

-- The bytes that a string takes as JSON, at most: quotes and backslashes double, everything outside
-- printable ASCII is spelled with six characters, and by the Go plugin for Kinesis these three are too.
local function as_json(text)
    local _, doubled = text:gsub('["\\]', "")
    local _, spelled = text:gsub("[^ -~]", "")
    local _, escaped = text:gsub("[<>&]", "")
    return #text + doubled + 5 * (spelled + escaped)
end

-- Where a part that starts at `from` ends, without cutting a UTF-8 character in two.
local function part_end(text, from)
    local to = math.min(from + PART - 1, #text)
    for back = 0, 3 do
        local following = text:byte(to - back + 1)
        if following == nil or following < 0x80 or following > 0xBF then
            return to - back
        end
    end
    return to
end

-- The parts are told as the Docker driver tells those of a line over 16 KB.
local function split(record, key, time)
    local text, parts, from = record[key], {}, 1
    local moment = type(time) == "table" and string.format("%d.%09d", time.sec, time.nsec) or string.format("%.9f", time)
    local id = string.format("%s-%d", moment, #text)
    while from <= #text do
        local to = part_end(text, from)
        local part = {}
        for other, value in pairs(record) do
            part[other] = value
        end
        part[key] = text:sub(from, to)
        part.partial_message = "true"
        part.partial_id = id
        part.partial_ordinal = tostring(#parts + 1)
        part.partial_last = tostring(to == #text)
        parts[#parts + 1] = part
        from = to + 1
    end
    return parts
end

local function name_of(number)
    return number ~= number and "NaN" or number > 0 and "Infinity" or "-Infinity"
end

-- An odd number becomes its name. Says whether there was one.
local function name_numbers(value, depth)
    local found = false
    for key, inner in pairs(value) do
        if type(inner) == "number" and is_odd(inner) then
            value[key] = name_of(inner)
            found = true
        elseif type(inner) == "table" and depth > 0 then
            found = name_numbers(inner, depth - 1) or found
        end
    end
    return found
end

-- A value as JSON can hold it: odd numbers by their names, and keys that are text. From 2^63 on, either way, Fluent Bit
-- hands over another number altogether, always the same one.
local function settled(value)
    if type(value) == "number" then
        return is_odd(value) and name_of(value) or value <= -2 ^ 63 and "beyond 2^63" or value
    end
    if type(value) ~= "table" then
        return value
    end
    local kept, list = {}, is_list(value)
    for key, inner in next, value do
        kept[list and key or tostring(key)] = settled(inner)
    end
    return kept
end

-- All that is to be known of a record, in one pass: whether Lua holds all of it, and the key of a string that may be
-- too long. Spells strings on the way.
local function look(record)
    local whole, long, size = true, nil, PART
    odd = false
    for key, value in next, record do
        if type(value) == "string" then
            if #value > size then
                long, size = key, #value
            end
            if not is_ascii(value) then
                record[key] = value:gsub("[\128-\255]+", spell)
            end
        elseif not exact(value, DEPTH - 1) then
            whole = false
        end
        odd = odd or type(key) ~= "string"
    end
    return whole, long
end

local arrived, named = nil, nil -- the last tag, and what its client called it

local function carried(tag, time, record, written)
    if tag ~= arrived then
        arrived, named = tag, tag:sub(#ARRIVAL + 1)
    end
    local forged = record._tag ~= nil or record._time ~= nil
    if forged then
        record._tag, record._time = nil, nil
    end
    local whole, long = look(record)
    if not (whole or forged) then
        return 0, time, nil -- Fluent Bit keeps what it has, and would write out all that is returned
    end
    if odd or not whole then
        record = settled(record)
    end
    record._tag = named
    if written then
        record._time = written
    end
    if long and as_json(record[long]) > LARGEST then
        return 2, time, split(record, long, time)
    end
    return 2, time, record
end

function carry(tag, time, record)
    return carried(tag, time, record, nil)
end

local function in_text(time)
    return os.date("!%Y-%m-%dT%H:%M:%S.", time.sec) .. string.format("%09dZ", time.nsec)
end

-- For a Fluent Bit whose output cannot write nanoseconds (before 4.0): the time goes into the record here.
function carry_with_time(tag, time, record)
    return carried(tag, time, record, in_text(time))
end

-- For the Go plugin for Kinesis, which writes milliseconds. Runs after `carry`, whose `_tag` tells that Lua holds the
-- record exactly. One that it does not is changed only to save it: rather a number rounded than a record gone.
function stamp(_, time, record)
    if record._tag == nil and not name_numbers(record, DEPTH) then
        return 0, time, nil
    end
    record._time = in_text(time)
    return 2, time, record
end
