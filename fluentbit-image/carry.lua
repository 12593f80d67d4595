-- What the aggregator does to every record: it writes the tag into the record, where the transformer finds
-- it; it spells bytes that are not UTF-8, which JSON cannot carry, as \xNN; and it splits a record that Firehose
-- could not take. A record that Lua cannot hold exactly (an integer of 2^53 or more) is passed on untouched,
-- without its tag: the data goes before the name.

local ARRIVAL = "in." -- what the input puts before every tag
local EXACT = 9007199254740992 -- 2^53: above it, Lua's numbers skip integers
local LARGEST = 900000 -- bytes as JSON; Firehose takes 1,024,000, the rest is for the other keys
local PART = 150000 -- bytes; as JSON at most six times as many
local DEPTH = 64

-- Numbers that JSON cannot hold: Fluent Bit would write them bare, and AWS's Go plugin discards their record.
local function is_odd(number)
    return number ~= number or number == math.huge or number == -math.huge
end

local odd = false -- whether `exact` has met one

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
    for key, inner in pairs(value) do
        if not (exact(key, depth - 1) and exact(inner, depth - 1)) then
            return false
        end
    end
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

-- A run of bytes outside ASCII, with those that are not UTF-8 spelled out.
local function spell(run)
    local parts, at, all = {}, 1, true
    while at <= #run do
        local length = character(run, at)
        all = all and length ~= nil
        parts[#parts + 1] = length and run:sub(at, at + length - 1) or string.format("\\x%02x", run:byte(at))
        at = at + (length or 1)
    end
    return not all and table.concat(parts) or nil
end

local function spell_strings(record)
    for key, value in pairs(record) do
        if type(value) == "string" and value:find("[\128-\255]") then
            record[key] = value:gsub("[\128-\255]+", spell)
        end
    end
end

-- The bytes that a string takes as JSON, at most: quotes and backslashes double, everything outside
-- printable ASCII is spelled with six characters, and by the Go plugin for Kinesis these three are too.
local function as_json(text)
    local _, doubled = text:gsub('["\\]', "")
    local _, spelled = text:gsub("[^ -~]", "")
    local _, escaped = text:gsub("[<>&]", "")
    return #text + doubled + 5 * (spelled + escaped)
end

local function longest(record)
    local found, size = nil, 0
    for key, value in pairs(record) do
        if type(value) == "string" and #value > size then
            found, size = key, #value
        end
    end
    return found, size
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
    local id = string.format("%d.%09d-%d", time.sec, time.nsec, #text)
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

-- An odd number becomes its name. Says whether there was one.
local function name_numbers(value, depth)
    local found = false
    for key, inner in pairs(value) do
        if type(inner) == "number" and is_odd(inner) then
            value[key] = inner ~= inner and "NaN" or inner > 0 and "Infinity" or "-Infinity"
            found = true
        elseif type(inner) == "table" and depth > 0 then
            found = name_numbers(inner, depth - 1) or found
        end
    end
    return found
end

function carry(tag, time, record)
    odd = false
    if not exact(record, DEPTH) then
        return 0, time, record
    end
    if odd then
        name_numbers(record, DEPTH)
    end
    record._tag = tag:sub(#ARRIVAL + 1)
    spell_strings(record)
    local key, size = longest(record)
    if size > PART and as_json(record[key]) > LARGEST then
        return 2, time, split(record, key, time)
    end
    return 2, time, record
end

local function written(time)
    return os.date("!%Y-%m-%dT%H:%M:%S.", time.sec) .. string.format("%09dZ", time.nsec)
end

-- For a Fluent Bit whose output cannot write nanoseconds (before 4.0): the time goes into the record here.
function carry_with_time(tag, time, record)
    record._time = written(time)
    return carry(tag, time, record)
end

-- For the Go plugin for Kinesis, which writes milliseconds. Runs after `carry`, whose `_tag` tells that Lua holds the
-- record exactly. One that it does not is changed only to save it: rather a number rounded than a record gone.
function stamp(_, time, record)
    if record._tag == nil and not name_numbers(record, DEPTH) then
        return 0, time, record
    end
    record._time = written(time)
    return 2, time, record
end
