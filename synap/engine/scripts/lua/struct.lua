-- The library `struct`: numbers and texts as bytes, by a format as in Roberto Ierusalimschy's struct 0.2.
--
--   >  big endian     b B  char   h H  short   l L  long   i I n  int of n bytes     f d  float, double
--   <  little endian  !n   align  x    a zero  c n  text of n bytes  s  text that ends with a zero byte

local tools = ...
local octets, bits, text_at, number_at, wrong_argument = tools.octets, tools.bits, tools.text_at, tools.number_at, tools.wrong_argument
local type, tonumber, select, error, floor = type, tonumber, select, error, math.floor
local byte, char, sub, find, match, rep, concat, unpack = string.byte, string.char, string.sub, string.find, string.match,
  string.rep, table.concat, tools.unpack

local INT, ALIGN, INT_BYTES_MAX, INT_MAX = 4, 8, 32, 2147483647
local FLOAT, DOUBLE, AND = 0, 1, 3  -- forms of `octets`, and an operation of `bits`
local LONG_BYTES, TWO_64 = 8, 2 ^ 64
local sizes = { b = 1, B = 1, h = 2, H = 2, l = LONG_BYTES, L = LONG_BYTES, T = 8, f = 4, d = 8, x = 1 }

-- The number at a place of the format, or `usual`; and the place behind it.
local function digits_at(form, at, usual)
  local digits = match(form, "^%d+", at)
  if not digits then return usual, at end
  if tonumber(digits) > INT_MAX then error("integral size overflow", 0) end
  return tonumber(digits), at + #digits
end

-- Walks over a format; `act(option, size, total, little)` returns the total behind an option, or nil if `option` is none.
local function walk(form, total, act)
  local little, align, at = true, 1, 1
  form = match(form, "^%Z*")
  while at <= #form do
    local option = sub(form, at, at)
    at = at + 1
    local size = sizes[option] or 0
    if option == "c" then
      size, at = digits_at(form, at, 1)
    elseif option == "i" or option == "I" then
      size, at = digits_at(form, at, INT)
      if size > INT_BYTES_MAX then
        error("integral size " .. size .. " is larger than limit of " .. INT_BYTES_MAX, 0)
      end
    end
    if size > 0 and option ~= "c" then
      local unit = size < align and size or align
      total = total + bits(AND, unit - bits(AND, total, unit - 1), unit - 1)
    end
    local behind = act(option, size, total, little)
    if behind then
      total = behind
    elseif option == "<" or option == ">" then
      little = option == "<"
    elseif option == "!" then
      align, at = digits_at(form, at, ALIGN)
      if align == 0 or bits(AND, align, align - 1) ~= 0 then error("alignment " .. align .. " is not a power of 2", 0) end
    elseif option ~= " " then
      wrong_argument(1, "invalid format option '" .. option .. "'")
    end
  end
  return total
end

-- A whole number as bytes, as the C compilers of x86 turn numbers into 64 bits; those beyond are zero.
local function integer_bytes(value, size, little)
  if value ~= value then value = TWO_64 / 2 end
  value = value >= 0 and floor(value) or -floor(-value)
  if value < -TWO_64 / 2 then value = -TWO_64 / 2 elseif value >= TWO_64 then value = 0 end
  local bytes = {}
  for i = 1, size do
    bytes[little and i or size + 1 - i] = i > LONG_BYTES and "\0" or char(value % 256)
    value = floor(value / 256)
  end
  return concat(bytes)
end

local struct = {}

function struct.pack(...)
  local form, out, used, written = text_at(1, ...), {}, 1, 0
  local values, count = { ... }, select("#", ...) + 1  -- behind the last one is a nil
  local function given(is, check)
    used = used + 1
    local value = values[used]
    return type(value) == is and value or check(used, unpack(values, 1, count))
  end
  walk(form, 0, function(option, size, total, little)
    if total > written then out[#out + 1] = rep("\0", total - written) end
    local piece
    if option == "x" then
      piece = "\0"
    elseif option == "c" or option == "s" then
      local text = given("string", text_at)
      if size == 0 then size = #text end
      if #text < size then wrong_argument(used + 1, "string too short") end
      piece = sub(text, 1, size) .. (option == "s" and "\0" or "")
    elseif sizes[option] or option == "i" or option == "I" then
      local number = given("number", number_at)
      if option == "f" or option == "d" then
        piece = octets(option == "f" and FLOAT or DOUBLE, number)
        if not little then piece = piece:reverse() end
      else
        piece = integer_bytes(number, size, little)
      end
    else
      written = total
      return nil
    end
    out[#out + 1] = piece
    written = total + #piece
    return written
  end)
  return concat(out)
end

-- As many bytes as there are are read into 64 bits, so of more than 8 the last ones count.
local function read_integer(data, at, size, little, signed)
  if size > LONG_BYTES then
    if not little then at = at + size - LONG_BYTES end
    size = LONG_BYTES
  end
  local value, first, last, step = 0, at, at + size - 1, 1
  if little then first, last, step = last, first, -1 end
  local negative = signed and size > 0 and byte(data, first) >= 128
  for i = first, last, step do
    local digit = byte(data, i)
    value = value * 256 + (negative and 255 - digit or digit)
  end
  return negative and -value - 1 or value
end

function struct.unpack(...)
  local form, data, position = text_at(1, ...), text_at(2, ...), select(3, ...)
  position = position == nil and 1 or tools.whole_at(3, ...)
  if position == 0 then wrong_argument(3, "offset must be 1 or greater") end
  local found, count = {}, 0
  local function must_hold(at, size)
    if not (size >= 0 and at >= 0 and at <= #data - size) then wrong_argument(2, "data string too short") end
  end
  local behind = walk(form, position - 1, function(option, size, total, little)
    must_hold(total, size)
    if option == "x" then return total + 1 end
    local at = total + 1
    if option == "c" then
      if size == 0 then
        size = tonumber(found[count])
        if not size then error("format 'c0' needs a previous size", 0) end
        count = count - 1
        size = tools.whole_at(1, size)
        must_hold(total, size)
      end
      count = count + 1
      found[count] = sub(data, at, at + size - 1)
    elseif option == "s" then
      local stop = find(data, "\0", at, true)
      if not stop then error("unfinished string in data", 0) end
      count = count + 1
      found[count] = sub(data, at, stop - 1)
      size = stop - total
    elseif option == "f" or option == "d" then
      local bytes = sub(data, at, at + size - 1)
      count = count + 1
      found[count] = octets(option == "f" and FLOAT or DOUBLE, little and bytes or bytes:reverse())
    elseif sizes[option] or option == "i" or option == "I" then
      count = count + 1
      found[count] = read_integer(data, at, size, little, find("bhli", option, 1, true))
    else
      return nil
    end
    return total + size
  end)
  found[count + 1] = behind + 1
  return unpack(found, 1, count + 1)
end

function struct.size(...)
  return walk(text_at(1, ...), 0, function(option, size, total)
    if option == "s" then wrong_argument(1, "option 's' has no fixed size") end
    if option == "c" and size == 0 then wrong_argument(1, "option 'c0' has no fixed size") end
    return match(option, "%w") and total + size or nil
  end)
end

return struct
