-- The library `bit`: operations on 32 bits as in Lua BitOp 1.0. `bits(operation, a, b)` does one of them.

local tools = ...
local bits, given, select, format = tools.bits, tools.number_at, select, string.format

local bit = {}

local function single(name, operation)
  bit[name] = function(...) return bits(operation, given(1, ...), 0) end
end

local function pair(name, operation)
  bit[name] = function(...) return bits(operation, given(1, ...), given(2, ...)) end
end

local function several(name, operation)
  bit[name] = function(...)
    local made = bits(0, given(1, ...), 0)
    for i = select("#", ...), 2, -1 do made = bits(operation, made, given(i, ...)) end
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
  local value = bits(0, given(1, ...), 0)
  local digits = select("#", ...) < 2 and 8 or bits(0, given(2, ...), 0)
  local form = "%08x"
  if digits < 0 then
    digits = -digits
    form = "%08X"
  end
  if digits > 8 then digits = 8 end
  return (format(form, value % 4294967296):sub(9 - digits))
end

return bit
