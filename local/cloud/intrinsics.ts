/** What a resource is called once it exists: `Ref` and the attributes of `Fn::GetAtt`. */
export interface Physical {
  readonly ref: string;
  readonly attributes: Readonly<Record<string, string>>;
}

export interface Scope {
  readonly physical: ReadonlyMap<string, Physical>;
  /** Pseudo parameters: `AWS::Region` and the like. */
  readonly pseudo: Readonly<Record<string, string>>;
}

/**
 * A template value with its intrinsic functions carried out, as CloudFormation does it.
 * @throws Error naming the function or the reference that is not known here
 */
export function resolve(value: unknown, scope: Scope): unknown {
  if (Array.isArray(value)) {
    return value.map((item) => resolve(item, scope)).filter((item) => item !== NO_VALUE);
  }
  if (typeof value !== "object" || value === null) return value;
  const entries = Object.entries(value);
  const [key, argument] = entries[0] ?? [];
  if (entries.length === 1 && key !== undefined && (key === "Ref" || key === "Condition" || key.startsWith("Fn::"))) {
    return intrinsic(key, argument, scope);
  }
  return Object.fromEntries(
    entries.map(([name, inner]) => [name, resolve(inner, scope)] as const).filter(([, inner]) => inner !== NO_VALUE),
  );
}

const NO_VALUE = Symbol("AWS::NoValue");

function intrinsic(name: string, argument: unknown, scope: Scope): unknown {
  switch (name) {
    case "Ref":
      return argument === "AWS::NoValue" ? NO_VALUE : reference(String(argument), scope);
    case "Fn::GetAtt": {
      const [id, attribute] = Array.isArray(argument) ? (argument as [string, string]) : splitOnce(String(argument));
      return attributeOf(id, attribute, scope);
    }
    case "Fn::Join": {
      const [separator, parts] = argument as [string, unknown[]];
      return (resolve(parts, scope) as unknown[]).map(String).join(separator);
    }
    case "Fn::Sub": {
      const [text, variables] = Array.isArray(argument)
        ? (argument as [string, Record<string, unknown>])
        : [String(argument), {}];
      return substitute(text, resolve(variables, scope) as Record<string, unknown>, scope);
    }
    case "Fn::Select": {
      const [index, list] = resolve(argument, scope) as [number | string, unknown[]];
      return list[Number(index)];
    }
    case "Fn::Split": {
      const [separator, text] = resolve(argument, scope) as [string, string];
      return text.split(separator);
    }
    default:
      throw new Error(`${name} is not known to the local stack`);
  }
}

function reference(id: string, scope: Scope): string {
  const value = scope.pseudo[id] ?? scope.physical.get(id)?.ref;
  if (value === undefined) throw new Error(`Ref ${id}: no such resource or pseudo parameter in the local stack`);
  return value;
}

function attributeOf(id: string, attribute: string, scope: Scope): string {
  const value = scope.physical.get(id)?.attributes[attribute];
  if (value === undefined) throw new Error(`Fn::GetAtt ${id}.${attribute}: not known to the local stack`);
  return value;
}

function substitute(text: string, variables: Record<string, unknown>, scope: Scope): string {
  return text.replace(/\$\{(!?)([^}]+)\}/g, (_whole, literal: string, name: string) => {
    if (literal === "!") return `\${${name}}`;
    if (name in variables) return String(variables[name]);
    return name.includes(".") ? attributeOf(...splitOnce(name), scope) : reference(name, scope);
  });
}

function splitOnce(text: string): [string, string] {
  const dot = text.indexOf(".");
  return [text.slice(0, dot), text.slice(dot + 1)];
}
