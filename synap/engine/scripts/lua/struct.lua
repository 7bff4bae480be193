-- The library `struct`: numbers and texts as bytes, by a format as in Roberto Ierusalimschy's struct 0.2.
--
--   >  big endian     b B  char   h H  short   l L  long   i I n  int of n bytes     f d  float, double
--   <  little endian  !n   align  x    a zero  c n  text of n bytes  s  text that ends with a zero byte

local tools = ...
local octets = tools.octets
local type, tostring, tonumber, select, error, floor = type, tostring, tonumber, select, error, math.floor
local byte, char, sub, find, rep, concat, unpack = string.byte, string.char, string.sub, string.find, string.rep, table.concat,
  tools.unpack

local INT, LONG, SIZE_T, ALIGN_MAX, INT_MAX = 4, 8, 8, 8, 32
local FLOAT, DOUBLE = 0, 1
local fixed = { b = 1, B = 1, h = 2, H = 2, l = LONG, L = LONG, T = SIZE_T, f = 4, d = 8, x = 1 }

local function bad_argument(name, number, what)
  error("bad argument #" .. number .. " to '" .. name .. "' (" .. what .. ")", 0)
end

-- Walks over a format; calls `act(option, size, padding, little)` for each option that takes bytes.
local function walk(name, form, total, act)
  local little, align, at = true, 1, 1
  while at <= #form do
    local option = sub(form, at, at)
    at = at + 1
    local size = fixed[option]
    local digits
    if option == "i" or option == "I" or option == "c" or option == "!" then
      digits = form:match("^%d+", at)
      if digits then at = at + #digits end
    end
    if option == "i" or option == "I" then
      size = digits and tonumber(digits) or INT
      if size > INT_MAX then error("integral size " .. digits .. " is larger than limit of 32", 0) end
    elseif option == "c" then
      size = digits and tonumber(digits) or 1
      if size > 2147483647 then error("integral size overflow", 0) end
    elseif option == "s" then
      size = 0
    end
    if option == "<" then
      little = true
    elseif option == ">" then
      little = false
    elseif option == "!" then
      align = digits and tonumber(digits) or ALIGN_MAX
      local power = 1
      while power < align and power < 1024 do power = power * 2 end
      if align <= 0 or power ~= align then error("alignment " .. align .. " is not a power of 2", 0) end
    elseif size then
      local padding = 0
      local unit = size < align and size or align
      if unit > 1 and option ~= "c" and option ~= "s" and option ~= "x" then padding = -total % unit end
      total = act(option, size, padding, little, total)
    elseif option ~= " " then
      bad_argument(name, 1, "invalid format option '" .. option .. "'")
    end
  end
  return total
end

local function integer_bytes(value, size, little)
  value = value >= 0 and floor(value) or -floor(-value)
  local bytes = {}
  for i = 1, size do
    bytes[little and i or size + 1 - i] = char(value % 256)
    value = floor(value / 256)
  end
  return concat(bytes)
end

local struct = {}

local function format_of(name, ...)
  local form = ...
  if type(form) == "number" then form = tostring(form) end
  if type(form) ~= "string" then
    bad_argument(name, 1, "string expected, got " .. (select("#", ...) == 0 and "no value" or type(form)))
  end
  return form
end

function struct.pack(...)
  local form = format_of("pack", ...)
  local out, used, given = {}, 1, { ... }
  walk("pack", form, 0, function(option, size, padding, little, total)
    out[#out + 1] = rep("\0", padding)
    if option == "x" then
      out[#out + 1] = "\0"
      return total + padding + 1
    end
    used = used + 1
    local value = given[used]
    if option == "s" or option == "c" then
      if type(value) == "number" then value = tostring(value) end
      if type(value) ~= "string" then
        bad_argument("pack", used, "string expected, got " .. type(value))
      end
      if option == "s" then
        value = value .. "\0"
      else
        if size == 0 then size = #value end
        if #value < size then bad_argument("pack", used + 1, "string too short") end
        value = sub(value, 1, size)
      end
      out[#out + 1] = value
      return total + padding + #value
    end
    local number = tonumber(value)
    if not number then
      bad_argument("pack", used, "number expected, got " .. type(value))
    end
    if option == "f" or option == "d" then
      local bytes = octets(option == "f" and FLOAT or DOUBLE, number)
      out[#out + 1] = little and bytes or bytes:reverse()
    else
      out[#out + 1] = integer_bytes(number, size, little)
    end
    return total + padding + size
  end)
  return concat(out)
end

local function read_integer(data, at, size, little, is_signed)
  local value, first, last, step = 0, at, at + size - 1, 1
  if little then first, last, step = last, first, -1 end
  local negative = is_signed and byte(data, first) >= 128
  for i = first, last, step do
    local digit = byte(data, i)
    value = value * 256 + (negative and 255 - digit or digit)
  end
  return negative and -value - 1 or value
end

function struct.unpack(...)
  local form = format_of("unpack", ...)
  local _, data, position = ...
  if type(data) == "number" then data = tostring(data) end
  if type(data) ~= "string" then
    bad_argument("unpack", 2, "string expected, got " .. (data == nil and "no value" or type(data)))
  end
  position = position == nil and 1 or tonumber(position)
  if not position or position < 1 then bad_argument("unpack", 3, "offset must be 1 or greater") end
  local found, count = {}, 0
  local after = walk("unpack", form, position - 1, function(option, size, padding, little, total)
    local at = total + padding
    if option == "c" and size == 0 then
      local length = found[count]
      if type(length) ~= "number" then error("format 'c0' needs a previous size", 0) end
      found[count] = nil
      count = count - 1
      size = length
    end
    if at + size > #data or size < 0 then bad_argument("unpack", 2, "data string too short") end
    if option == "x" then return at + 1 end
    count = count + 1
    if option == "s" then
      local stop = find(data, "\0", at + 1, true)
      if not stop then error("unfinished string in data", 0) end
      found[count] = sub(data, at + 1, stop - 1)
      return stop
    end
    if option == "c" then
      found[count] = sub(data, at + 1, at + size)
    elseif option == "f" or option == "d" then
      local bytes = sub(data, at + 1, at + size)
      found[count] = octets(option == "f" and FLOAT or DOUBLE, little and bytes or bytes:reverse())
    else
      found[count] = read_integer(data, at + 1, size, little, find(option, "[bhli]"))
    end
    return at + size
  end)
  found[count + 1] = after + 1
  return unpack(found, 1, count + 1)
end

function struct.size(...)
  local form = format_of("size", ...)
  return walk("size", form, 0, function(option, size, padding, _, total)
    if option == "s" then bad_argument("size", 1, "option '" .. option .. (option == "c" and "0" or "") .. "' has no fixed size") end
    if option == "c" and size == 0 then bad_argument("size", 1, "option '" .. option .. (option == "c" and "0" or "") .. "' has no fixed size") end
    return total + padding + size
  end)
end

return struct
