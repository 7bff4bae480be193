-- The library `bit`: operations on 32 bits as in Lua BitOp 1.0. `bits(operation, a, b)` does one of them.

local tools = ...
local bits, type, tonumber, select, error, format = tools.bits, type, tonumber, select, error, string.format

local function given(name, index, ...)
  local value = select(index, ...)
  local number = tonumber(value)
  if not number then
    local got = select("#", ...) < index and "no value" or type(value)
    error("bad argument #" .. index .. " to '" .. name .. "' (number expected, got " .. got .. ")", 0)
  end
  return number
end

local bit = {}

local function single(name, operation)
  bit[name] = function(...) return bits(operation, given(name, 1, ...), 0) end
end

local function pair(name, operation)
  bit[name] = function(...) return bits(operation, given(name, 1, ...), given(name, 2, ...)) end
end

local function several(name, operation)
  bit[name] = function(...)
    local made = bits(0, given(name, 1, ...), 0)
    for i = 2, select("#", ...) do made = bits(operation, made, given(name, i, ...)) end
    return made
  end
end

single("tobit", 0)
single("bnot", 1)
single("bswap", 2)
several("band", 3)
several("bor", 4)
several("bxor", 5)
pair("lshift", 6)
pair("rshift", 7)
pair("arshift", 8)
pair("rol", 9)
pair("ror", 10)

function bit.tohex(...)
  local value = bits(0, given("tohex", 1, ...), 0)
  local digits = select("#", ...) < 2 and 8 or bits(0, given("tohex", 2, ...), 0)
  local form = "%08x"
  if digits < 0 then
    digits = -digits
    form = "%08X"
  end
  if digits > 8 then digits = 8 end
  return (format(form, value % 4294967296):sub(9 - digits))
end

return bit
