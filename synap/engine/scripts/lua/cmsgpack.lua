-- The library `cmsgpack`: MessagePack as lua-cmsgpack 0.4 reads and writes it. `octets(form, value)` turns a number into
-- its bytes, or bytes into a number; the forms are those of `octets` in store/scripts/library_calls.py.

local tools = ...
local octets, real, next, text_at, wrong_argument = tools.octets, tools.real, tools.next, tools.text_at, tools.wrong_argument
local whole_at, low_32 = tools.whole_at, tools.low_32
local type, error, floor, select = type, error, math.floor, select
local byte, char, sub, concat, unpack = string.byte, string.char, string.sub, table.concat, tools.unpack

local DEPTH_MAX = 16
local FLOAT, DOUBLE = 0, 1

-- A whole number as `size` bytes, the highest first; a negative one as its complement.
local function whole(value, size)
  local bytes = {}
  for i = size, 1, -1 do
    bytes[i] = char(value % 256)
    value = floor(value / 256)
  end
  return concat(bytes)
end

local function write_head(out, size, small, small_max, middle, large)
  if small and size <= small_max then
    out[#out + 1] = char(small + size)
  elseif size < 65536 then
    out[#out + 1] = char(middle) .. whole(size, 2)
  else
    out[#out + 1] = char(large) .. whole(size, 4)
  end
end

local function write_text(out, text)
  local size = #text
  if size >= 32 and size < 256 then
    out[#out + 1] = char(0xd9, size)
  else
    write_head(out, size, 0xa0, 31, 0xda, 0xdb)
  end
  out[#out + 1] = text
end

local function write_integer(out, value)
  if value >= 0 then
    if value < 128 then
      out[#out + 1] = char(value)
    elseif value < 256 then
      out[#out + 1] = char(0xcc, value)
    elseif value < 65536 then
      out[#out + 1] = "\205" .. whole(value, 2)
    elseif value < 4294967296 then
      out[#out + 1] = "\206" .. whole(value, 4)
    else
      out[#out + 1] = "\207" .. whole(value, 8)
    end
  elseif value >= -32 then
    out[#out + 1] = char(value + 256)
  elseif value >= -128 then
    out[#out + 1] = char(0xd0, value + 256)
  elseif value >= -32768 then
    out[#out + 1] = "\209" .. whole(value, 2)
  elseif value >= -2147483648 then
    out[#out + 1] = "\210" .. whole(value, 4)
  else
    out[#out + 1] = "\211" .. whole(value, 8)
  end
end

local function write_number(out, value)
  if value == floor(value) and value >= -9223372036854775808 and value < 9223372036854775808 then
    return write_integer(out, value)
  end
  local single = octets(FLOAT, value)
  if octets(FLOAT, single) == value then
    out[#out + 1] = "\202" .. single:reverse()
  else
    out[#out + 1] = "\203" .. octets(DOUBLE, value):reverse()
  end
end

-- The length of a table whose keys are 1 to n, or nil.
local function array_length(value)
  local count, most = 0, 0
  for key in next, value do
    if type(key) ~= "number" or key <= 0 or key ~= floor(key) then return nil end
    count = count + 1
    if key > most then most = key end
  end
  return most == count and count or nil
end

local write

local function write_table(out, value, depth)
  value = real[value] or value
  local length = array_length(value)
  if length then
    write_head(out, length, 0x90, 15, 0xdc, 0xdd)
    for i = 1, length do write(out, value[i], depth + 1) end
    return
  end
  local count = 0
  for _ in next, value do count = count + 1 end
  write_head(out, count, 0x80, 15, 0xde, 0xdf)
  for key, member in next, value do
    write(out, key, depth + 1)
    write(out, member, depth + 1)
  end
end

function write(out, value, depth)
  local kind = type(value)
  if kind == "string" then
    write_text(out, value)
  elseif kind == "boolean" then
    out[#out + 1] = value and "\195" or "\194"
  elseif kind == "number" then
    write_number(out, value)
  elseif kind == "table" and depth < DEPTH_MAX then
    write_table(out, value, depth)
  else
    out[#out + 1] = "\192"
  end
end

local cmsgpack = {
  _NAME = "cmsgpack", _VERSION = "lua-cmsgpack 0.4.0", _COPYRIGHT = "", _DESCRIPTION = "MessagePack for scripts",
}

function cmsgpack.pack(...)
  if select("#", ...) == 0 then wrong_argument(0, "MessagePack pack needs input.") end
  local out = {}
  for i = 1, select("#", ...) do write(out, (select(i, ...)), 0) end
  return concat(out)
end

local function missing() error("Missing bytes in input.", 0) end

local function number_at(text, at, size, signed)
  if at + size - 1 > #text then missing() end
  local value = 0
  for i = at, at + size - 1 do value = value * 256 + byte(text, i) end
  if signed and byte(text, at) >= 128 then
    if size == 8 then  -- not the difference of two large numbers, which would be rounded twice
      value = 0
      for i = at, at + 7 do value = value * 256 + (255 - byte(text, i)) end
      value = -value - 1
    else
      value = value - 256 ^ size
    end
  end
  return value
end

local read

local function read_text(text, at, size)
  if at + size - 1 > #text then missing() end
  return sub(text, at, at + size - 1), at + size
end

local function read_array(text, at, count)
  local made = {}
  for i = 1, count do made[i], at = read(text, at) end
  return made, at
end

local function read_map(text, at, count)
  local made = {}
  for _ = 1, count do
    local key, value
    key, at = read(text, at)
    value, at = read(text, at)
    if key == nil or key ~= key then tools.bare_error("table index is " .. (key == nil and "nil" or "NaN")) end
    made[key] = value
  end
  return made, at
end

local sizes = { [0xcc] = 1, [0xcd] = 2, [0xce] = 4 }
local signed = { [0xcf] = 8, [0xd0] = 1, [0xd1] = 2, [0xd2] = 4, [0xd3] = 8 }  -- Redis reads 64 bits with a sign
local texts = { [0xd9] = 1, [0xda] = 2, [0xdb] = 4, [0xc4] = 1, [0xc5] = 2, [0xc6] = 4 }
local arrays = { [0xdc] = 2, [0xdd] = 4 }
local maps = { [0xde] = 2, [0xdf] = 4 }

function read(text, at)
  local head = byte(text, at)
  if not head then missing() end
  if head < 0x80 then return head, at + 1 end
  if head >= 0xe0 then return head - 256, at + 1 end
  if head < 0x90 then return read_map(text, at + 1, head - 0x80) end
  if head < 0xa0 then return read_array(text, at + 1, head - 0x90) end
  if head < 0xc0 then return read_text(text, at + 1, head - 0xa0) end
  if head == 0xc0 then return nil, at + 1 end
  if head == 0xc2 then return false, at + 1 end
  if head == 0xc3 then return true, at + 1 end
  if sizes[head] then return number_at(text, at + 1, sizes[head]), at + 1 + sizes[head] end
  if signed[head] then return number_at(text, at + 1, signed[head], true), at + 1 + signed[head] end
  if head == 0xca then
    if at + 4 > #text then missing() end
    return octets(FLOAT, sub(text, at + 1, at + 4):reverse()), at + 5
  end
  if head == 0xcb then
    if at + 8 > #text then missing() end
    return octets(DOUBLE, sub(text, at + 1, at + 8):reverse()), at + 9
  end
  if texts[head] then return read_text(text, at + 1 + texts[head], number_at(text, at + 1, texts[head])) end
  if arrays[head] then return read_array(text, at + 1 + arrays[head], number_at(text, at + 1, arrays[head])) end
  if maps[head] then return read_map(text, at + 1 + maps[head], number_at(text, at + 1, maps[head])) end
  error("Bad data format in input.", 0)
end

local function unpack_all(...)
  local text = text_at(1, ...)
  local found, at = { n = 0 }, 1
  while at <= #text do
    local value
    value, at = read(text, at)
    found.n = found.n + 1
    found[found.n] = value
  end
  return unpack(found, 1, found.n)
end

local function limited(text, most, offset)
  if offset < 0 or most < 0 then
    error("Invalid request to unpack with offset of " .. low_32(offset) .. " and limit of " .. #text .. ".", 0)
  end
  if offset > #text then error("Start offset " .. low_32(offset) .. " greater than input length " .. #text .. ".", 0) end
  local found, at = { n = 0 }, offset + 1
  while at <= #text and found.n < most do
    local value
    value, at = read(text, at)
    found.n = found.n + 1
    found[found.n] = value
  end
  return at > #text and -1 or at - 1, unpack(found, 1, found.n)
end

cmsgpack.unpack = unpack_all

-- The whole number at a place of the arguments, or `usual`.
local function optional(usual, place, ...)
  return select(place, ...) == nil and usual or whole_at(place, ...)
end

function cmsgpack.unpack_one(...)
  local offset = optional(0, 2, ...)
  return limited(text_at(1, ...), 1, offset)
end

function cmsgpack.unpack_limit(...)
  local most, offset = whole_at(2, ...), optional(0, 3, ...)
  if most == 0 and offset == 0 then return unpack_all(...) end
  return limited(text_at(1, ...), most, offset)
end

return cmsgpack
